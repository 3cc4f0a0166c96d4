import { z } from "@hono/zod-openapi";
import { Fault } from "../../src/core/faults.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json } from "../http/openapi.ts";

/** What the health routes ask the daemon. */
interface HealthSource {
  readonly version: string;
  /** Whether the daemon takes requests: it has started, and does not stop yet. */
  readonly ready: () => boolean;
}

const Status = z.object({ status: z.literal("ok") }).openapi("Health");
const Version = z.object({ name: z.literal("innkeeper"), version: z.string() }).openapi("Version");

const endpoint = endpointsOf<HealthSource>("daemon");

const showHealth = endpoint({
  method: "get",
  path: "/healthz",
  summary: "The process lives",
  responses: { 200: json(Status, "It does") },
}).handle((c) => c.json({ status: "ok" } as const, 200));

const showReadiness = endpoint({
  method: "get",
  path: "/readyz",
  summary: "The daemon takes requests",
  responses: { 200: json(Status, "It does") },
  faults: ["shutting-down"],
}).handle((c, { ready }) => {
  if (ready()) return c.json({ status: "ok" } as const, 200);
  throw new Fault("shutting-down", "Cannot take requests: the daemon is stopping");
});

const showVersion = endpoint({
  method: "get",
  path: "/version",
  summary: "Name and version",
  responses: { 200: json(Version, "They are") },
}).handle((c, { version }) => c.json({ name: "innkeeper", version } as const, 200));

/** `GET /healthz`, `/readyz` and `/version`: no token needed. */
export function healthRoutes(source: HealthSource): Routes {
  return new Routes().add([showHealth, showReadiness, showVersion], source);
}
