import { z } from "@hono/zod-openapi";
import { Fault, type FaultCode, FAULTS } from "../../src/core/faults.ts";
import { PROBLEM_TYPE, problemOf, statusOf } from "../../src/wire/problem.ts";
import { Code } from "../../src/wire/scalars.ts";
import type { Route } from "./endpoint.ts";
import { answerHeaders } from "./headers.ts";
import { PROBLEM_HELP } from "./problem_help.ts";
import { needOf } from "./rights.ts";

/** The problem document as a schema. */
export const ProblemView = z.looseObject({
  type: z.string().openapi({
    description: "Address of the page that explains this problem",
    example: "/problems/scope-not-found",
  }),
  title: z.string().openapi({
    description: "The problem in few words, always the same for its code",
    example: "Scope is unknown",
  }),
  status: z.int().min(400).max(599).openapi({
    description: "The status of the answer",
    example: 404,
  }),
  detail: z.string().openapi({
    description: "What failed, with the value, and what to do",
    example: 'Cannot find scope "vm-7": it does not exist',
  }),
  instance: z.string().optional().openapi({
    description: "The path that was asked for",
    example: "/v1/scopes/vm-7",
  }),
  code: Code.openapi({
    description: "The problem as a stable word",
    example: "scope-not-found",
  }),
  errno: z.string().openapi({
    description: "The problem as POSIX names it",
    example: "ENOENT",
  }),
  retryable: z.boolean().openapi({
    description: "Whether the same request may succeed later",
    example: false,
  }),
}).openapi("Problem", { description: "Why a request was refused or has failed (RFC 9457)" });

/** Faults that may be answered before or after any handler runs. */
const EVERYWHERE = ["host-not-allowed", "origin-not-allowed", "internal-error"] as const;

/** Faults of what a request says. */
const OF_INPUT = ["malformed-request", "value-not-allowed", "bad-name"] as const;

/** Faults of everything that is not open to anybody. */
const GUARDED = [
  "token-missing",
  "token-unknown",
  "not-permitted",
  "connections-exhausted",
  "shutting-down",
  "state-unavailable",
] as const;

const OF_KEYS = ["key-reused", "answer-not-kept", "keys-exhausted"] as const;

/** Every fault that a route can answer with. */
function faultsOf(route: Route, isOpen: boolean): ReadonlySet<FaultCode> {
  const { method, request = {}, headers = [], faults } = route;
  const takesInput = Object.keys(request).length + headers.length > 0 || method === "post";
  return new Set<FaultCode>([
    ...takesInput ? OF_INPUT : [],
    ...isOpen ? [] : GUARDED,
    ...route.needs !== undefined && needOf(route.needs).permission === "bump"
      ? ["bump-not-permitted" as const]
      : [],
    ...route.isSocket ? ["ticket-unknown" as const] : [],
    ...method === "get" || isOpen ? [] : ["body-too-large" as const],
    ...request.body === undefined ? [] : ["wrong-media-type" as const],
    ...method === "post" && !isOpen ? OF_KEYS : [],
    ...EVERYWHERE,
    ...faults,
  ]);
}

/**
 * The problem answers of a route, by status: which codes there are, with an example of each that is
 * the route's own. What every route may answer has one example a status.
 */
export function problemAnswers(route: Route, isOpen: boolean) {
  const isOwn = (code: FaultCode): boolean => route.faults.includes(code);
  const byStatus = Map.groupBy(faultsOf(route, isOpen), statusOf);
  return Object.fromEntries(
    [...byStatus].sort(([a], [b]) => a - b).map(([status, codes]) => [status, {
      description: codes.map((code) => `\`${code}\``).join(", "),
      headers: headersOf(status),
      content: {
        [PROBLEM_TYPE]: {
          schema: schemaOf(codes),
          examples: examplesOf(codes.some(isOwn) ? codes.filter(isOwn) : codes.slice(0, 1)),
        },
      },
    }]),
  );
}

function headersOf(status: number) {
  if (status === 401) return answerHeaders("WWW-Authenticate");
  if (status === 416) return answerHeaders("Content-Range");
  return status === 503 ? answerHeaders("Retry-After") : answerHeaders();
}

function schemaOf(codes: readonly FaultCode[]) {
  const one = { type: "object" as const, properties: { code: { enum: [...codes] } } };
  return { allOf: [{ $ref: "#/components/schemas/Problem" }, { ...one, required: ["code"] }] };
}

function examplesOf(codes: readonly FaultCode[]) {
  return Object.fromEntries(
    codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
  );
}

/**
 * The examples of problems that a document names, for its components.
 *
 * @param text The document so far
 */
export function problemExamples(text: string) {
  const isNamed = (code: FaultCode): boolean => text.includes(`"#/components/examples/${code}"`);
  return Object.fromEntries(
    (Object.keys(FAULTS) as FaultCode[]).filter(isNamed).map((code) => [code, {
      summary: FAULTS[code].title,
      description: PROBLEM_HELP[code].join(" "),
      value: problemOf(new Fault(code, PROBLEM_HELP[code][0])),
    }]),
  );
}
