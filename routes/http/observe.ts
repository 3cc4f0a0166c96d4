import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { getLogger } from "@logtape/logtape";
import { Counter, Histogram, type Registry } from "prom-client";
import type { Env } from "./env.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
const log = getLogger(["innkeeper", "http"]);

/**
 * Counts and times every request, and logs those that matter. The query is never logged: it can hold
 * a ticket.
 */
export function observe(registry: Registry): MiddlewareHandler<Env> {
  const registers = [registry];
  const requests = new Counter({
    name: "innkeeper_http_requests_total",
    help: "Requests answered",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const seconds = new Histogram({
    name: "innkeeper_http_request_seconds",
    help: "Time to answer a request, waiting included",
    labelNames: ["method", "route"],
    buckets: [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  return async (c, next) => {
    const start = performance.now();
    await next();
    const ms = performance.now() - start;
    // A client may invent methods, and a label for each would stay in memory for ever.
    const method = METHODS.has(c.req.method) ? c.req.method : "other";
    const route = routePath(c, -1);
    requests.inc({ method, route, status: c.res.status });
    seconds.observe({ method, route }, ms / 1000);
    const entry = {
      requestId: c.get("requestId"),
      method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(ms * 1000) / 1000,
    };
    // Changes are announced as events. A log line for each request would cost more than many requests.
    if (c.res.status >= 500) log.warn("request failed", entry);
    else if (c.res.status === 401 || c.res.status === 403) log.info("request refused", entry);
    else log.debug("request", entry);
  };
}
