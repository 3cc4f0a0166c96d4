import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { getLogger } from "@logtape/logtape";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Metric } from "./gauges.ts";
import type { Env } from "../http/env.ts";
import { needs, newRoutes } from "../http/openapi.ts";

/** The figures of the daemon in Prometheus' form. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests: Counter<"method" | "route" | "status">;
  readonly seconds: Histogram<"method" | "route">;

  constructor(sources: readonly Metric[]) {
    const registers = [this.registry];
    this.requests = new Counter({
      name: "innkeeper_http_requests_total",
      help: "Requests answered",
      labelNames: ["method", "route", "status"],
      registers,
    });
    this.seconds = new Histogram({
      name: "innkeeper_http_request_seconds",
      help: "Time to answer a request, waiting included",
      labelNames: ["method", "route"],
      buckets: [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
      registers,
    });
    for (const { name, help, read } of sources) {
      new Gauge({
        name,
        help,
        registers,
        collect(): void {
          this.set(read());
        },
      });
    }
  }
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
const log = getLogger(["innkeeper", "http"]);

/** Counts every request, and logs those that matter. A query is not logged: it can hold a ticket. */
export function observe(metrics: Metrics): MiddlewareHandler<Env> {
  return async (c, next) => {
    const start = performance.now();
    await next();
    const ms = performance.now() - start;
    // A client may invent methods: a label for each would never be let go of.
    const method = METHODS.has(c.req.method) ? c.req.method : "other";
    const route = routePath(c, -1);
    metrics.requests.inc({ method, route, status: c.res.status });
    metrics.seconds.observe({ method, route }, ms / 1000);
    const entry = {
      requestId: c.get("requestId"),
      method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(ms * 1000) / 1000,
    };
    // What a request has changed is told as an event; a line for each would cost more than many do.
    if (c.res.status >= 500) log.warn("request failed", entry);
    else if (c.res.status === 401 || c.res.status === 403) log.info("request refused", entry);
    else log.debug("request", entry);
  };
}

/** `GET /metrics` in Prometheus' text form. */
export function metricsRoutes(metrics: Metrics): ReturnType<typeof newRoutes> {
  const routes = newRoutes();
  routes.get("/metrics", needs("read"), async (c) => {
    return c.body(await metrics.registry.metrics(), 200, {
      "content-type": metrics.registry.contentType,
    });
  });
  return routes;
}
