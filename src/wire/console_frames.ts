import { z } from "@hono/zod-openapi";
import type { Fault } from "../core/faults.ts";
import { rightForm } from "./validation.ts";
import { problemOf, toJson } from "./problem.ts";

/** Text frames that the daemon sends between the binary ones. */
export const CONSOLE_FRAMES = {
  gap: z.strictObject({
    type: z.literal("gap"),
    after: z.int().min(0),
    before: z.int().min(0),
  }),
  error: z.strictObject({
    type: z.literal("error"),
    problem: z.looseObject({ code: z.string(), status: z.int(), detail: z.string() }),
  }),
} as const satisfies Record<string, z.ZodType>;

/** `?since=` of a console. */
export const ConsoleQuery = z.strictObject({
  since: z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/, rightForm("a number of at most 16 digits"))
    .transform(Number).optional().default(0)
    .openapi({
      type: "integer",
      minimum: 0,
      description: "Offset of the first byte wanted",
      example: 0,
    }),
});

/** Says which bytes of the console are no longer stored. */
export function gapText(after: number, before: number): string {
  return JSON.stringify(
    { type: "gap", after, before } satisfies z.infer<typeof CONSOLE_FRAMES.gap>,
  );
}

/** Says why the daemon did not take what a client sent. */
export function refusalText(fault: Fault): string {
  return toJson({ type: "error", problem: problemOf(fault) });
}
