import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Fault } from "../../src/core/faults.ts";
import type { Env } from "../http/env.ts";
import { json, newRoutes, problems } from "../http/openapi.ts";

/** What the health routes ask the daemon. */
interface HealthSource {
  readonly version: string;
  /** Whether it takes requests: started, and not yet stopping. */
  readonly ready: () => boolean;
}

const Status = z.object({ status: z.literal("ok") }).openapi("Health");
const Version = z.object({ name: z.literal("innkeeper"), version: z.string() }).openapi("Version");

/** `GET /healthz`, `/readyz` and `/version`: no token needed. */
export function healthRoutes(source: HealthSource): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/healthz",
      tags: ["daemon"],
      summary: "The process lives",
      responses: { 200: json(Status, "It does"), ...problems() },
    }),
    (c) => c.json({ status: "ok" } as const, 200),
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/readyz",
      tags: ["daemon"],
      summary: "The daemon takes requests",
      responses: { 200: json(Status, "It does"), ...problems("shutting-down") },
    }),
    (c) => {
      if (!source.ready()) {
        throw new Fault("shutting-down", "Cannot take requests: the daemon is stopping");
      }
      return c.json({ status: "ok" } as const, 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/version",
      tags: ["daemon"],
      summary: "Name and version",
      responses: { 200: json(Version, "They are"), ...problems() },
    }),
    (c) => c.json({ name: "innkeeper", version: source.version } as const, 200),
  );
  return routes;
}
