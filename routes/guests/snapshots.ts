import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/core/time.ts";
import type { Snapshots, SnapshotSummary } from "../../src/guests/snapshots/snapshots.ts";
import { GuestsQuery, SnapshotList, SnapshotView } from "../../src/wire/guests.ts";
import { Name } from "../../src/wire/scalars.ts";
import type { Env } from "../http/env.ts";
import { pageOf } from "../http/pagination.ts";
import { json, needs, newRoutes, problems } from "../http/openapi.ts";

const params = z.object({ id: Name });
const tags = ["guests"];

/** `/v1/snapshots`: snapshots of guests that are kept. */
export function snapshotRoutes(snapshots: Snapshots): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/snapshots",
      tags,
      summary: "List snapshots",
      middleware: [needs("read")],
      request: { query: GuestsQuery },
      responses: { 200: json(SnapshotList, "A page of snapshots, by id"), ...problems() },
    }),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const ids = await snapshots.ids();
      const { items, ...rest } = pageOf(ids, (id) => id, (id) => id, limit, cursor);
      const found = await Promise.all(items.map((id) => snapshots.summary(id)));
      return c.json({
        items: found.filter((one) => one !== undefined).map(snapshotView),
        ...rest,
      }, 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/snapshots/{id}",
      tags,
      summary: "Show a snapshot",
      middleware: [needs("read")],
      request: { params },
      responses: {
        200: json(SnapshotView, "The snapshot"),
        ...problems("snapshot-not-found", "snapshot-damaged", "snapshot-version"),
      },
    }),
    async (c) => c.json(snapshotView(await snapshots.get(c.req.valid("param").id)), 200),
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/snapshots/{id}",
      tags,
      summary: "Delete a snapshot",
      middleware: [needs("guest")],
      request: { params },
      responses: { 204: { description: "It is deleted" }, ...problems("snapshot-not-found") },
    }),
    async (c) => {
      await snapshots.delete(c.req.valid("param").id);
      return c.body(null, 204);
    },
  );
  return routes;
}

/** A snapshot as it is shown. */
export function snapshotView(snapshot: SnapshotSummary): z.input<typeof SnapshotView> {
  if ("fault" in snapshot) return snapshot;
  const { sizeBytes, memoryBytes, createdNs, machine, ...rest } = snapshot;
  return {
    ...rest,
    kind: machine === undefined ? "bare" : "linux",
    sizeBytes: String(sizeBytes),
    memoryBytes: String(memoryBytes),
    createdAt: rfc3339(createdNs),
  };
}
