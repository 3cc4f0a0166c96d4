import type { z } from "@hono/zod-openapi";
import type { HonoRequest } from "hono";
import { Fault } from "../../src/core/faults.ts";
import { sysgenidBytes, sysgenidGeneration } from "../../src/generations/sysgenid_page.ts";
import type { Watcher } from "../../src/generations/watcher.ts";
import {
  AckBody,
  FailureBody,
  GenerationView,
  HttpWatcherBody,
  ScopeParam,
  WatcherList,
  WatcherParam,
  WatchersQuery,
  WatcherView,
} from "../../src/wire/generations.ts";
import { bytesOf } from "../../src/wire/http/octets.ts";
import { BYTES, json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { onScope } from "../http/rights.ts";
import { waitOf } from "../http/wait.ts";
import { endpoint, generationView, watcherView } from "./views.ts";

const GENERATION_BYTES = 4n;
const BYTES_TYPE = "application/octet-stream";

const listWatchers = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/watchers",
  summary: "List the watchers of a scope",
  needs: onScope("read"),
  request: { params: ScopeParam, query: WatchersQuery },
  responses: { 200: json(WatcherList, "A page of watchers") },
  faults: ["scope-not-found"],
}).handle((c, { scopes }) => {
  const { tracked, outdated, ...query } = c.req.valid("query");
  const { state } = scopes.get(c.req.valid("param").s);
  const watchers = [...state.watchers]
    .filter((watcher) => tracked === undefined || tracked === watcher.tracked)
    .filter((watcher) => outdated === undefined || outdated === state.isOutdated(watcher))
    .sort((a, b) => a.id < b.id ? -1 : 1);
  const view = (watcher: Watcher) => watcherView(state, watcher);
  return c.json(pageOf(watchers, ({ id }) => id, view, query), 200);
});

const putWatcher = endpoint({
  method: "put",
  path: "/v1/scopes/{s}/watchers/{w}",
  summary: "Watch over HTTP under an id of one's own choice; renews the lease",
  needs: onScope("watch"),
  request: { params: WatcherParam, body: jsonBody(HttpWatcherBody) },
  responses: {
    201: json(WatcherView, "It is new"),
    200: json(WatcherView, "It is changed"),
  },
  faults: ["scope-not-found", "watchers-exhausted", "watcher-not-owned"],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const scope = scopes.get(s);
  const { watcher, created } = await scope.watchers.put(w, c.req.valid("json"), c.get("principal"));
  return c.json(watcherView(scope.state, watcher), created ? 201 : 200);
});

const showWatcher = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/watchers/{w}",
  summary: "Show a watcher",
  needs: onScope("read"),
  request: { params: WatcherParam },
  responses: { 200: json(WatcherView, "The watcher") },
  faults: ["scope-not-found", "watcher-not-found"],
}).handle((c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { state } = scopes.get(s);
  return c.json(watcherView(state, state.watcher(w)), 200);
});

const releaseWatcher = endpoint({
  method: "delete",
  path: "/v1/scopes/{s}/watchers/{w}",
  summary: "Release a watcher: barriers no longer wait for it",
  needs: onScope("watch"),
  request: { params: WatcherParam },
  responses: { 204: { description: "It is released" } },
  faults: ["scope-not-found", "watcher-not-found", "watcher-not-owned"],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  await scopes.get(s).watchers.release(w, undefined, c.get("principal"));
  return c.body(null, 204);
});

const readGeneration = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/watchers/{w}/generation",
  summary: "The driver's read: the generation while it is not confirmed",
  needs: onScope("watch"),
  request: { params: WatcherParam },
  responses: {
    200: {
      description: "It is not confirmed yet; as 4 bytes for `Accept: application/octet-stream`",
      content: { ...BYTES, ...json(GenerationView, "").content },
    },
    204: { description: "There is none to confirm, and none came in time (EAGAIN)" },
  },
  faults: ["scope-not-found", "watcher-not-found", "watcher-not-owned"],
}).handle(async (c, { scopes, stopping }) => {
  const { s, w } = c.req.valid("param");
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  watchers.touch(w);
  const { waitMs, signal } = waitOf(c, stopping);
  const current = await watchers.read(w, waitMs, signal);
  if (current === undefined) return c.body(null, 204);
  c.header("etag", `"${current.epoch}"`);
  if (c.req.header("accept")?.includes(BYTES_TYPE) !== true) {
    return c.json(generationView(current), 200);
  }
  return c.body(sysgenidBytes(current.generation), 200, { "content-type": BYTES_TYPE });
});

const ackGeneration = endpoint({
  method: "put",
  path: "/v1/scopes/{s}/watchers/{w}/ack",
  summary: "The driver's write: confirm exactly this generation",
  needs: onScope("watch"),
  // The body is not "required": else Hono would also hold the 4 bytes against the JSON schema.
  request: { params: WatcherParam, body: { content: { ...jsonBody(AckBody).content, ...BYTES } } },
  responses: { 204: { description: "It is confirmed, or was already" } },
  faults: [
    "scope-not-found",
    "watcher-not-found",
    "watcher-not-owned",
    "stale-generation",
    "wrong-length",
  ],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { generation, epoch } = await ackOf(c.req);
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  watchers.touch(w);
  watchers.ack(w, generation, epoch);
  return c.body(null, 204);
});

/** Reads the generation to confirm: from JSON, or from the 4 bytes that the driver takes. */
async function ackOf(request: HonoRequest): Promise<z.infer<typeof AckBody>> {
  const type = request.header("content-type");
  if (type === undefined) {
    throw new Fault(
      "malformed-request",
      "Cannot confirm: send the generation as JSON or as 4 bytes, with its content type",
    );
  }
  if (!type.toLowerCase().startsWith(BYTES_TYPE)) return AckBody.parse(await request.json());
  return { generation: sysgenidGeneration(await bytesOf(request.raw, GENERATION_BYTES)) };
}

const reportFailure = endpoint({
  method: "put",
  path: "/v1/scopes/{s}/watchers/{w}/failure",
  summary: "Report that one could not adapt; a later confirmation clears it",
  needs: onScope("watch"),
  request: { params: WatcherParam, body: jsonBody(FailureBody) },
  responses: { 204: { description: "The barrier names it with its reason" } },
  faults: [
    "scope-not-found",
    "watcher-not-found",
    "watcher-not-owned",
    "stale-generation",
    "already-confirmed",
  ],
}).handle((c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { generation, reason } = c.req.valid("json");
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  watchers.touch(w);
  watchers.fail(w, generation, reason);
  return c.body(null, 204);
});

const followQuiesce = endpoint({
  method: "put",
  path: "/v1/scopes/{s}/watchers/{w}/quiesced",
  summary: "Follow a quiesce: stand still until it ends or the bump is confirmed",
  needs: onScope("watch"),
  request: { params: WatcherParam },
  responses: { 204: { description: "It is taken" } },
  faults: ["scope-not-found", "watcher-not-found", "watcher-not-owned", "not-quiescing"],
}).handle((c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  watchers.touch(w);
  watchers.quiesced(w);
  return c.body(null, 204);
});

/** `…/watchers`: watching over HTTP, call by call as with the driver's file. */
export const watcherEndpoints = [
  ...[listWatchers, putWatcher, showWatcher, releaseWatcher],
  ...[readGeneration, ackGeneration, reportFailure, followQuiesce],
];
