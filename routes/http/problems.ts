import { HTTPException } from "hono/http-exception";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getLogger } from "@logtape/logtape";
import { asFault, Fault, type FaultCode, FAULTS } from "../../src/core/faults.ts";
import { PROBLEM_TYPE, problemOf, statusOf, toJson } from "../../src/wire/problem.ts";
import type { Env } from "./env.ts";
import { endpointsOf, Routes } from "./endpoint.ts";
import { text } from "./openapi.ts";
import { PROBLEM_HELP } from "./problem_help.ts";

const ProblemParam = z.object({
  code: z.string().openapi({ description: "Code of the problem", example: "scope-not-found" }),
});

const log = getLogger(["innkeeper", "http"]);

/** The answer to a request that ended in an error of any sort. */
export function problemResponse(error: unknown, c: Context<Env>): Response {
  const fault = faultFor(error, c.req.header("content-type")).shownTo(c.get("principal"));
  if (fault.kind === "internal") {
    log.error("request failed by a mistake of ours", {
      requestId: c.get("requestId"),
      path: c.req.path,
      error: error instanceof Error ? error.stack : String(error),
    });
  }
  return new Response(toJson(problemOf(fault, c.req.path)), {
    status: statusOf(fault.code),
    headers: headersOf(fault, c.req.header("sec-fetch-dest")),
  });
}

function headersOf(fault: Fault, destination: string | undefined): Headers {
  const headers = new Headers({
    "content-type": PROBLEM_TYPE,
    "x-content-type-options": "nosniff",
  });
  if (fault.kind === "unauthenticated") {
    headers.set("www-authenticate", "Bearer");
    // A browser requests a password for what it shows or plays itself. It must not for the calls of
    // the console, which has its token.
    if (destination !== undefined && !/^(empty|websocket)$/.test(destination)) {
      headers.append("www-authenticate", 'Basic realm="innkeeper", charset="UTF-8"');
    }
  }
  if (fault.kind === "unavailable") {
    headers.set("retry-after", String(fault.retryAfterSeconds ?? 1));
  }
  if (fault.kind === "wrong-method") headers.set("allow", String(fault.members["allow"]));
  if (fault.kind === "unsatisfiable") {
    headers.set("content-range", `bytes */${fault.members["size"]}`);
  }
  return headers;
}

/** What Hono refuses on its own, in our words. */
function faultFor(error: unknown, contentType = ""): Fault {
  if (!(error instanceof HTTPException) || error.status >= 500) return asFault(error);
  if (error.status === 415) {
    const given = contentType === "" ? "none" : JSON.stringify(contentType.slice(0, 80));
    return new Fault(
      "wrong-media-type",
      `Cannot read the body: its Content-Type is ${given}, and this operation takes another: ` +
        "see /openapi.json",
    );
  }
  if (error.status === 413) return new Fault("body-too-large", "Cannot read the body: too large");
  return new Fault("malformed-request", "Cannot read the body: it is not JSON");
}

/** The page of a problem. */
function pageOf(code: FaultCode): string {
  const spec = FAULTS[code];
  const [cause, advice] = PROBLEM_HELP[code];
  const retry = "retryable" in spec
    ? "Trying again may succeed. A POST that repeats its Idempotency-Key is never carried out twice."
    : "Trying again does not help as long as nothing else changes.";
  return `${spec.title}\n\ncode ${code}\nstatus ${statusOf(code)}\nerrno ${spec.errno}\n\n` +
    `Cause: ${cause}\n\n${retry}\n\nWhat to do: ${advice}\n`;
}

const explainProblem = endpointsOf<undefined>("daemon")({
  method: "get",
  path: "/problems/{code}",
  operationId: "explainProblem",
  summary: "Explain a problem",
  description: "The `type` of every problem document leads here. It needs no token.",
  request: { params: ProblemParam },
  responses: {
    200: { description: "What it means", content: text("text/plain", pageOf("scope-not-found")) },
  },
  faults: ["no-such-path"],
}).handle((c) => {
  const { code } = c.req.valid("param");
  if (!Object.hasOwn(FAULTS, code)) {
    throw new Fault("no-such-path", `Cannot explain "${code.slice(0, 80)}": no such problem code`);
  }
  return c.text(pageOf(code as FaultCode), 200);
});

/** `GET /problems/{code}`: what a problem type means, for people who follow the link. */
export function problemRoutes(): Routes {
  return new Routes().add([explainProblem], undefined);
}
