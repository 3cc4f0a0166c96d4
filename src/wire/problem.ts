import { type Fault, type FaultCode, type FaultKind, FAULTS } from "../core/faults.ts";

/** A problem document (RFC 9457) as Innkeeper sends it, over HTTP and inside error frames. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance?: string;
  readonly code: FaultCode;
  readonly errno: string;
  readonly retryable: boolean;
  readonly [member: string]: unknown;
}

/** The media type of a problem document. */
export const PROBLEM_TYPE = "application/problem+json";

const STATUS = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  missing: 404,
  "wrong-method": 405,
  conflict: 409,
  gone: 410,
  stale: 412,
  "too-large": 413,
  "wrong-type": 415,
  unsatisfiable: 416,
  invalid: 422,
  internal: 500,
  unavailable: 503,
  exhausted: 507,
} as const satisfies Record<FaultKind, number>;

/** An HTTP status that a fault can have. */
type ProblemStatus = typeof STATUS[FaultKind];

/** The HTTP status of a fault. Nothing else maps faults to statuses. */
export function statusOf(code: FaultCode): ProblemStatus {
  return STATUS[FAULTS[code].kind];
}

/**
 * The problem document of a fault.
 *
 * @param instance What was asked, such as the path of the request
 */
export function problemOf(fault: Fault, instance?: string): Problem {
  return {
    type: `/problems/${fault.code}`,
    title: fault.title,
    status: statusOf(fault.code),
    detail: fault.message,
    ...(instance === undefined ? {} : { instance }),
    code: fault.code,
    errno: fault.errno,
    retryable: fault.retryable,
    ...fault.members,
  };
}

/** JSON text of a value that may hold 64-bit numbers, which become decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item) => typeof item === "bigint" ? String(item) : item);
}
