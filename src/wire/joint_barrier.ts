import { z } from "@hono/zod-openapi";
import { LISTED_NAMES_MAX } from "../core/limits.ts";
import { BARRIER_OPEN_EXAMPLE } from "./generation_examples.ts";
import { BarrierOpenView, BarrierQuery } from "./generations.ts";
import { Name, NameList } from "./scalars.ts";

/** `?scope=&atLeast=&timeoutMs=` of the barrier of several scopes. */
export const JointBarrierQuery = z.strictObject({
  scope: NameList.openapi({
    type: "string",
    example: "vm-7,vm-8",
    description: `The scopes, ${LISTED_NAMES_MAX} at most`,
  }),
  atLeast: BarrierQuery.shape.atLeast,
  timeoutMs: BarrierQuery.shape.timeoutMs,
});

/** Barriers that were open at one moment. */
export const JointBarrierView = z.object({
  items: z.array(
    BarrierOpenView.extend({ scope: Name.describe("Whose barrier it is") })
      .openapi({ example: { ...BARRIER_OPEN_EXAMPLE, scope: "vm-7" } }),
  )
    .describe("The evidence of each scope, in the order of the question"),
}).openapi("JointBarrier", { description: "Barriers that were open at one moment" });
