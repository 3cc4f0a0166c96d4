import { GuestsQuery, SnapshotList, SnapshotParam, SnapshotView } from "../../src/wire/guests.ts";
import { json } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { endpoint, snapshotView } from "./views.ts";

const listSnapshots = endpoint({
  method: "get",
  path: "/v1/snapshots",
  operationId: "listSnapshots",
  summary: "List snapshots",
  description: "Lists snapshots by id, in pages. One that cannot be read is listed with its fault.",
  needs: "read",
  request: { query: GuestsQuery },
  responses: { 200: json(SnapshotList, "A page of snapshots, by id") },
  faults: [],
}).handle(async (c, { guests: { snapshots } }) => {
  const same = (id: string) => id;
  const { items: ids, next } = pageOf(await snapshots.ids(), same, same, c.req.valid("query"));
  const found = await Promise.all(ids.map((id) => snapshots.summary(id)));
  return c.json({ items: found.filter((one) => one !== undefined).map(snapshotView), next }, 200);
});

const showSnapshot = endpoint({
  method: "get",
  path: "/v1/snapshots/{id}",
  operationId: "showSnapshot",
  summary: "Show a snapshot",
  description: "Shows of which guest a snapshot was taken, and when.",
  needs: "read",
  request: { params: SnapshotParam },
  responses: { 200: json(SnapshotView, "The snapshot") },
  faults: ["snapshot-not-found", "snapshot-damaged", "snapshot-version"],
}).handle(async (c, { guests: { snapshots } }) =>
  c.json(snapshotView(await snapshots.get(c.req.valid("param").id)), 200)
);

const deleteSnapshot = endpoint({
  method: "delete",
  path: "/v1/snapshots/{id}",
  operationId: "deleteSnapshot",
  summary: "Delete a snapshot",
  description: "Deletes the file of a snapshot. Guests that were cloned from it live on.",
  needs: "guest",
  request: { params: SnapshotParam },
  responses: { 204: { description: "It is deleted" } },
  faults: ["snapshot-not-found"],
}).handle(async (c, { guests: { snapshots } }) => {
  await snapshots.delete(c.req.valid("param").id);
  return c.body(null, 204);
});

/** `/v1/snapshots`: snapshots of guests, which outlive their guests. */
export const snapshotEndpoints = [listSnapshots, showSnapshot, deleteSnapshot];
