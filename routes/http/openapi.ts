import { z } from "@hono/zod-openapi";
import type { FaultCode } from "../../src/core/faults.ts";
import { PROBLEM_TYPE, statusOf } from "../../src/wire/problem.ts";
import { Code } from "../../src/wire/scalars.ts";

/** The problem document as a schema. */
const ProblemView = z.looseObject({
  type: z.string().openapi({ example: "/problems/scope-not-found" }),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  instance: z.string().optional(),
  code: Code,
  errno: z.string().openapi({ example: "ENOENT" }),
  retryable: z.boolean(),
}).openapi("Problem");

/** A JSON answer in the description of a route. */
export function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** A JSON body in the description of a route. An empty or differently typed body is refused. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } };
}

/** A JSON merge-patch in the description of a route (RFC 7396). */
export function patchBody<Schema extends z.ZodType>(schema: Schema) {
  const content = { "application/json": { schema }, "application/merge-patch+json": { schema } };
  return { required: true, content };
}

const BINARY = { schema: { type: "string", format: "binary" } } as const;

/** Bytes, in the description of a route. */
export const BYTES = { "application/octet-stream": BINARY };

/** Several ranges of bytes, in the description of a route. */
export const BYTE_RANGES = { "multipart/byteranges": BINARY };

/** An answer of bytes in the description of a route. */
export function bytes(description: string) {
  return { description, content: BYTES };
}

/** Faults that any route may answer with, whatever it does. */
const COMMON = [
  "malformed-request",
  "value-not-allowed",
  "bad-name",
  "token-missing",
  "token-unknown",
  "not-permitted",
  "host-not-allowed",
  "origin-not-allowed",
  "body-too-large",
  "wrong-media-type",
  "shutting-down",
  "state-unavailable",
] as const satisfies readonly FaultCode[];

/** The problem answers of a route: the common ones and those named, by status. */
export function problems(codes: readonly FaultCode[]) {
  const byStatus = Map.groupBy([...COMMON, ...codes], statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [status, {
      description: codes.map((code) => `\`${code}\``).join(", "),
      content: { [PROBLEM_TYPE]: { schema: ProblemView } },
    }]),
  );
}
