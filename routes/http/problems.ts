import { HTTPException } from "hono/http-exception";
import type { Context } from "hono";
import { getLogger } from "@logtape/logtape";
import { asFault, Fault, type FaultCode, FAULTS } from "../../src/core/faults.ts";
import { PROBLEM_TYPE, problemOf, statusOf, toJson } from "../../src/wire/problem.ts";
import type { Env } from "./env.ts";
import { Routes } from "./endpoint.ts";

const log = getLogger(["innkeeper", "http"]);

/** The answer to a request that ended in an error of any sort. */
export function problemResponse(error: unknown, c: Context<Env>): Response {
  const fault = faultFor(error);
  if (fault.kind === "internal") {
    log.error("request failed by a mistake of ours", {
      requestId: c.get("requestId"),
      path: c.req.path,
      error: error instanceof Error ? error.stack : String(error),
    });
  }
  return new Response(toJson(problemOf(fault, c.req.path)), {
    status: statusOf(fault.code),
    headers: headersOf(fault),
  });
}

function headersOf(fault: Fault): Headers {
  const headers = new Headers({
    "content-type": PROBLEM_TYPE,
    "x-content-type-options": "nosniff",
  });
  if (fault.kind === "unauthenticated") headers.set("www-authenticate", "Bearer");
  if (fault.kind === "unavailable") {
    headers.set("retry-after", String(fault.retryAfterSeconds ?? 1));
  }
  if (fault.kind === "wrong-method") headers.set("allow", String(fault.members["allow"]));
  if (fault.kind === "unsatisfiable") {
    headers.set("content-range", `bytes */${fault.members["size"]}`);
  }
  return headers;
}

function faultFor(error: unknown): Fault {
  if (!(error instanceof HTTPException) || error.status >= 500) return asFault(error);
  const code: FaultCode = error.status === 415
    ? "wrong-media-type"
    : error.status === 413
    ? "body-too-large"
    : "malformed-request";
  return new Fault(code, error.message || "Cannot read the request");
}

/** `GET /problems/{code}`: what a problem type means, for people who follow the link. */
export const problemPages = new Routes();

problemPages.get("/problems/:code", (c) => {
  const code = c.req.param("code");
  if (!Object.hasOwn(FAULTS, code)) {
    throw new Fault("no-such-path", `Cannot explain "${code.slice(0, 80)}": no such problem code`);
  }
  const spec = FAULTS[code as FaultCode];
  return c.text(
    `${spec.title}\n\ncode ${code}\nstatus ${statusOf(code as FaultCode)}\nerrno ${spec.errno}\n` +
      `${"retryable" in spec ? "Trying again may succeed." : "Trying again does not help."}\n`,
  );
});
