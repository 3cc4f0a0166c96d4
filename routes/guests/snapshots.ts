import { GuestsQuery, SnapshotList, SnapshotParam, SnapshotView } from "../../src/wire/guests.ts";
import { json } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import type { Permission } from "../../src/core/rights.ts";
import type { Need } from "../http/rights.ts";
import { askerOf, endpoint, snapshotView } from "./views.ts";

/** The right to do this to a snapshot, on the name of its guest. */
function onSnapshot(permission: Permission): Need {
  return { permission, on: { kind: "guests", in: "what it is of" } };
}

const listSnapshots = endpoint({
  method: "get",
  path: "/v1/snapshots",
  operationId: "listSnapshots",
  summary: "List snapshots",
  description: "Lists snapshots by id, in pages. One that cannot be read is listed with its fault.",
  needs: { permission: "read", on: { kind: "guests", in: "each item" } },
  request: { query: GuestsQuery },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(SnapshotList, "A page of snapshots, by id") },
  faults: [],
}).handle(async (c, { guests: { snapshots } }) => {
  const same = (id: string) => id;
  const asker = askerOf(c);
  const may = await Promise.all(
    (await snapshots.ids()).map(async (id) => await snapshots.may(id, "read", asker) ? [id] : []),
  );
  const query = c.req.valid("query");
  const { items: ids, ...rest } = pageOf(may.flat(), same, same, query, c.get("seq"));
  const found = await Promise.all(ids.map((id) => snapshots.summary(id)));
  return c.json(
    { items: found.filter((one) => one !== undefined).map(snapshotView), ...rest },
    200,
  );
});

const showSnapshot = endpoint({
  method: "get",
  path: "/v1/snapshots/{id}",
  operationId: "showSnapshot",
  summary: "Show a snapshot",
  description: "Shows of which guest a snapshot was taken, and when.",
  needs: onSnapshot("read"),
  request: { params: SnapshotParam },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(SnapshotView, "The snapshot") },
  faults: ["snapshot-not-found", "not-owner", "snapshot-damaged", "snapshot-version"],
}).handle(async (c, { guests: { snapshots } }) => {
  const { id } = c.req.valid("param");
  await snapshots.require(id, "read", askerOf(c));
  return c.json(snapshotView(await snapshots.get(id)), 200);
});

const deleteSnapshot = endpoint({
  method: "delete",
  path: "/v1/snapshots/{id}",
  operationId: "deleteSnapshot",
  summary: "Delete a snapshot",
  description: "Deletes the file of a snapshot. Guests that were cloned from it live on.",
  needs: onSnapshot("guest"),
  request: { params: SnapshotParam },
  headers: ["Innkeeper-Owner"],
  responses: { 204: { description: "It is deleted" } },
  faults: ["snapshot-not-found", "not-owner"],
}).handle(async (c, { guests: { snapshots } }) => {
  const { id } = c.req.valid("param");
  await snapshots.require(id, "guest", askerOf(c));
  await snapshots.delete(id);
  return c.body(null, 204);
});

/** `/v1/snapshots`: snapshots of guests, which outlive their guests. */
export const snapshotEndpoints = [listSnapshots, showSnapshot, deleteSnapshot];
