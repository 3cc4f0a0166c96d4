import type { Leftover } from "../../src/inodes/writeback/leftovers.ts";
import { rangeOfPath } from "../../src/wire/http/byte_range.ts";
import {
  LeftoverListView,
  LeftoverParam,
  LeftoverRangeParam,
  LeftoverRangesQuery,
  LeftoversQuery,
  LeftoverView,
  RetriedView,
  RetryBody,
} from "../../src/wire/leftovers.ts";
import { bytes, json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { endpoint, rangeView } from "./views.ts";

const listLeftovers = endpoint({
  method: "get",
  path: "/v1/kept",
  operationId: "listLeftovers",
  summary: "List bytes that an earlier process left and no start could write back",
  description: "Each entry is one file, with the reason. The next start tries all of them again.",
  needs: "read",
  request: { query: LeftoversQuery },
  responses: { 200: json(LeftoverListView, "A page of files, by id") },
  faults: [],
}).handle((c, { leftovers }) =>
  c.json(
    pageOf(leftovers.list(), ({ id }) => id, leftoverView, c.req.valid("query"), c.get("seq")),
    200,
  )
);

const showLeftover = endpoint({
  method: "get",
  path: "/v1/kept/{id}",
  operationId: "showLeftover",
  summary: "Show which bytes of a file are unsaved",
  description: "The ranges come in pages, by offset.",
  needs: "read",
  request: { params: LeftoverParam, query: LeftoverRangesQuery },
  responses: { 200: json(LeftoverView, "The file and its unsaved ranges") },
  faults: ["leftover-not-found"],
}).handle((c, { leftovers }) => {
  const { limit, cursor = 0n } = c.req.valid("query");
  const leftover = leftovers.get(c.req.valid("param").id);
  const ranges = leftover.ranges.filter(({ start }) => start >= cursor);
  return c.json({
    ...leftoverView(leftover),
    ranges: ranges.slice(0, limit).map(rangeView),
    next: ranges[limit]?.start.toString(),
  }, 200);
});

const readLeftover = endpoint({
  method: "get",
  path: "/v1/kept/{id}/ranges/{range}",
  operationId: "readLeftover",
  summary: "Read unsaved bytes, FIRST-LAST, both inclusive",
  description:
    "Exports what cannot be written to its file. All bytes of the range must be unsaved.",
  needs: "read",
  request: { params: LeftoverRangeParam },
  responses: { 200: bytes("The bytes") },
  faults: ["leftover-not-found", "range-not-satisfiable", "malformed-request", "body-too-large"],
}).handle(async (c, { leftovers }) => {
  const { id, range } = c.req.valid("param");
  const content = await leftovers.read(id, rangeOfPath(range));
  return c.body(content, 200, { "content-type": "application/octet-stream" });
});

const retryLeftover = endpoint({
  method: "post",
  path: "/v1/kept/{id}/retry",
  operationId: "retryLeftover",
  summary: "Write unsaved bytes to their file now",
  description:
    "The answer tells whether they are there. With `force` they also go over what somebody else " +
    "has written to the file since; that is not asked for anywhere else.",
  needs: "write",
  request: { params: LeftoverParam, body: jsonBody(RetryBody) },
  responses: { 200: json(RetriedView, "What became of them") },
  faults: ["leftover-not-found", "file-in-use"],
}).handle(async (c, store) => {
  const { force } = c.req.valid("json");
  const { outcome, reason } = await store.retryLeftover(c.req.valid("param").id, force);
  return c.json({ outcome, reason }, 200);
});

const discardLeftover = endpoint({
  method: "delete",
  path: "/v1/kept/{id}",
  operationId: "discardLeftover",
  summary: "Drop unsaved bytes for good",
  description: "The file stays as it is. An event names what was dropped.",
  needs: "write",
  request: { params: LeftoverParam },
  responses: { 204: { description: "They are dropped" } },
  faults: ["leftover-not-found"],
}).handle(async (c, store) => {
  await store.discardLeftover(c.req.valid("param").id);
  return c.body(null, 204);
});

function leftoverView({ id, root, path, dirtyBytes, reason }: Leftover) {
  return { id, root, path, dirtyBytes: String(dirtyBytes), reason };
}

/** `/v1/kept`: what recovery could not write back (docs/inodes.md#leftovers). */
export const leftoverEndpoints = [
  ...[listLeftovers, showLeftover, readLeftover, retryLeftover, discardLeftover],
];
