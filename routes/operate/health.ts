import { z } from "@hono/zod-openapi";
import { Fault } from "../../src/core/faults.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json } from "../http/openapi.ts";

/** What the health routes ask the daemon. */
interface HealthSource {
  readonly version: string;
  /** Whether the daemon takes requests: it has started, and does not stop yet. */
  readonly ready: () => boolean;
  /** What is missing of what the daemon works on, such as its state folder. */
  readonly missing?: () => string | undefined;
}

const Status = z.object({ status: z.literal("ok").describe("Nothing else is answered with 200") })
  .openapi("Health", { description: "That all is well" });
const Version = z.object({
  name: z.literal("innkeeper").describe("Name of the program"),
  version: z.string().openapi({ description: "Its version", example: "0.1.0" }),
}).openapi("Version", { description: "Which program answers" });

const endpoint = endpointsOf<HealthSource>("daemon");

const showHealth = endpoint({
  method: "get",
  path: "/healthz",
  operationId: "showHealth",
  summary: "The process lives",
  description: "Says that the process answers at all. It needs no token.",
  responses: { 200: json(Status, "It does") },
  faults: [],
}).handle((c) => c.json({ status: "ok" } as const, 200));

const showReadiness = endpoint({
  method: "get",
  path: "/readyz",
  operationId: "showReadiness",
  summary: "The daemon takes requests",
  description:
    "Says that the daemon has started, does not stop yet, and has its state folder. It needs no token.",
  responses: { 200: json(Status, "It does") },
  faults: ["shutting-down", "state-unavailable"],
}).handle((c, { ready, missing }) => {
  const gone = missing?.();
  if (gone !== undefined) {
    throw new Fault("state-unavailable", `Cannot take requests: ${gone}; stop the daemon`);
  }
  if (ready()) return c.json({ status: "ok" } as const, 200);
  throw new Fault("shutting-down", "Cannot take requests: the daemon is stopping");
});

const showVersion = endpoint({
  method: "get",
  path: "/version",
  operationId: "showVersion",
  summary: "Name and version",
  description: "Says which version of Innkeeper answers. It needs no token.",
  responses: { 200: json(Version, "They are") },
  faults: [],
}).handle((c, { version }) => c.json({ name: "innkeeper", version } as const, 200));

/** `GET /healthz`, `/readyz` and `/version`: no token needed. */
export function healthRoutes(source: HealthSource): Routes {
  return new Routes().add([showHealth, showReadiness, showVersion], source);
}
