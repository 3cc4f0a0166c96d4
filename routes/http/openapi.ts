import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { type FaultCode, FAULTS } from "../../src/core/faults.ts";
import type { Permission } from "../../src/access/permissions.ts";
import { PROBLEM_TYPE, type ProblemStatus, statusOf } from "../../src/wire/problem.ts";
import { faultOf } from "../../src/wire/scalars.ts";
import type { Env } from "./env.ts";

/** An empty set of routes in which a request that fails its schema becomes a fault. */
export function newRoutes(): OpenAPIHono<Env> {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw faultOf(result.error, result.target);
    },
  });
}

/** Lets only callers through who have this permission. */
export function needs(permission: Permission): MiddlewareHandler<Env> {
  return (c, next) => {
    c.get("principal").require(permission);
    return next();
  };
}

/** The problem document as a schema. */
const ProblemView = z.looseObject({
  type: z.string().openapi({ example: "/problems/scope-not-found" }),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  instance: z.string().optional(),
  code: z.enum(Object.keys(FAULTS) as [FaultCode, ...FaultCode[]]),
  errno: z.string().openapi({ example: "ENOENT" }),
  retryable: z.boolean(),
}).openapi("Problem");

interface Described<Schema> {
  description: string;
  content: { "application/json": { schema: Schema } };
}

/** A JSON answer in a route's description. */
export function json<Schema extends z.ZodType>(
  schema: Schema,
  description: string,
): Described<Schema> {
  return { description, content: { "application/json": { schema } } };
}

/** A JSON body in a route's description. An empty or differently typed body is refused. */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
): { required: true; content: { "application/json": { schema: Schema } } } {
  return { required: true, content: { "application/json": { schema } } };
}

const BYTES_SCHEMA = { type: "string", format: "binary" } as const;

/** A body of bytes in a route's description. */
export function bytesBody(): {
  required: true;
  content: { "application/octet-stream": { schema: typeof BYTES_SCHEMA } };
} {
  return { required: true, content: { "application/octet-stream": { schema: BYTES_SCHEMA } } };
}

/** A body of several byte ranges in a route's description. */
export function bytePartsBody(): {
  required: true;
  content: { "multipart/byteranges": { schema: typeof BYTES_SCHEMA } };
} {
  return { required: true, content: { "multipart/byteranges": { schema: BYTES_SCHEMA } } };
}

/** A JSON merge-patch in a route's description (RFC 7396). */
export function patchBody<Schema extends z.ZodType>(
  schema: Schema,
): {
  required: true;
  content: {
    "application/json": { schema: Schema };
    "application/merge-patch+json": { schema: Schema };
  };
} {
  return {
    required: true,
    content: { "application/json": { schema }, "application/merge-patch+json": { schema } },
  };
}

/** An answer of bytes in a route's description. */
export function bytes(description: string): {
  description: string;
  content: { "application/octet-stream": { schema: typeof BYTES_SCHEMA } };
} {
  return { description, content: { "application/octet-stream": { schema: BYTES_SCHEMA } } };
}

/** Faults that any route may answer, whatever it does. */
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

type ProblemResponses = {
  [status in ProblemStatus]?: {
    description: string;
    content: { [PROBLEM_TYPE]: { schema: typeof ProblemView } };
  };
};

/** The problem answers of a route: the common ones and those named, grouped by status. */
export function problems(...codes: readonly FaultCode[]): ProblemResponses {
  const byStatus = new Map<ProblemStatus, FaultCode[]>();
  for (const code of [...COMMON, ...codes]) {
    const status = statusOf(code);
    byStatus.set(status, [...byStatus.get(status) ?? [], code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [status, {
      description: codes.map((code) => `\`${code}\``).join(", "),
      content: { [PROBLEM_TYPE]: { schema: ProblemView } },
    }]),
  );
}
