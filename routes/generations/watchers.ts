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
  HttpWatchingView,
  QuiescedBody,
  ScopeParam,
  WatcherList,
  WatcherParam,
  WatchersQuery,
  WatcherView,
} from "../../src/wire/generations.ts";
import { GenerationQuery } from "../../src/wire/generation_poll.ts";
import { bytesOf } from "../../src/wire/http/octets.ts";
import { answerHeaders } from "../http/headers.ts";
import { BYTES, empty, json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { onScope } from "../http/rights.ts";
import { pollWithQuiesce } from "./quiesce_poll.ts";
import { endpoint, generationView, watcherView } from "./views.ts";

const GENERATION_BYTES = 4n;
const TOKEN_HEADER = "Innkeeper-Watcher-Token";
const BYTES_TYPE = "application/octet-stream";

const listWatchers = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/watchers",
  operationId: "listWatchers",
  summary: "List the watchers of a scope",
  description: "Lists watchers by id, in pages. `tracked` and `outdated` leave out the others.",
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
  return c.json(pageOf(watchers, ({ id }) => id, view, query, c.get("seq")), 200);
});

const putWatcher = endpoint({
  method: "put",
  path: "/v1/scopes/{s}/watchers/{w}",
  operationId: "putWatcher",
  summary: "Watch over HTTP under an id of one's own choice; renews the lease",
  description:
    "Makes or changes a watcher that calls over HTTP instead of holding a connection. Each of " +
    "its calls renews its lease; a tracked watcher that stays silent for longer is lost. It is " +
    "given a token. Who shows one that is spent becomes a second watcher, under an id of ours.",
  needs: onScope("watch"),
  request: { params: WatcherParam, body: jsonBody(HttpWatcherBody) },
  responses: {
    201: json(HttpWatchingView, "It is new"),
    200: json(HttpWatchingView, "It is changed"),
  },
  faults: ["scope-not-found", "watchers-exhausted", "watcher-not-owned", "watcher-token-spent"],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const scope = scopes.get(s);
  const request = c.req.valid("json");
  const { watcher, created, token } = await scope.watchers.put(w, request, c.get("principal"));
  return c.json({ ...watcherView(scope.state, watcher), token }, created ? 201 : 200);
});

const showWatcher = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/watchers/{w}",
  operationId: "showWatcher",
  summary: "Show a watcher",
  description:
    "Shows whether a watcher is present, whether barriers wait for it, and what it confirmed " +
    "last.",
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
  operationId: "releaseWatcher",
  summary: "Release a watcher: barriers no longer wait for it",
  description:
    "Barriers no longer wait for it. One that goes before it has confirmed is named in the " +
    "evidence of the next open barrier.",
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
  operationId: "readWatcherGeneration",
  summary: "The driver's read: the generation while it is not confirmed",
  description:
    "Answers with the generation as long as the watcher has not confirmed it, and with 204 " +
    "afterwards. `Prefer: wait=N` waits up to N seconds for the next one, and less when a quiesce " +
    "begins or ends: `Innkeeper-Quiesce` names the one that is on. Each is told once.",
  needs: onScope("watch"),
  request: { params: WatcherParam, query: GenerationQuery },
  headers: ["Innkeeper-Watcher-Token", "Prefer"],
  responses: {
    200: {
      description: "It is not confirmed yet; as 4 bytes for `Accept: application/octet-stream`",
      headers: answerHeaders("ETag", "Innkeeper-Quiesce", "Preference-Applied"),
      content: { ...BYTES, ...json(GenerationView, "").content },
    },
    204: empty(
      "There is none to confirm, and none came in time (EAGAIN)",
      ...["Innkeeper-Quiesce", "Preference-Applied"] as const,
    ),
  },
  faults: ["scope-not-found", "watcher-not-found", "watcher-not-owned", "watcher-token-spent"],
}).handle(async (c, { scopes, stopping }) => {
  const { s, w } = c.req.valid("param");
  const scope = scopes.get(s);
  const { watchers } = scope;
  watchers.requireOwner(w, c.get("principal"));
  await watchers.http.requireToken(w, c.req.header(TOKEN_HEADER));
  watchers.touch(w);
  const known = c.req.valid("query").quiesce;
  const current = await pollWithQuiesce(
    ...[c, scope, stopping, { known, watcher: w }] as const,
    (waitMs, signal) => watchers.read(w, waitMs, signal),
  );
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
  operationId: "confirmGeneration",
  summary: "The driver's write: confirm exactly this generation",
  description:
    "Say it once the program has adapted. Only exactly the current generation is taken; to " +
    "confirm it twice is no error. Who shows a token gets the next one, and spends this.",
  needs: onScope("watch"),
  headers: ["Innkeeper-Watcher-Token"],
  // The body is not "required": else Hono would also hold the 4 bytes against the JSON schema.
  request: { params: WatcherParam, body: { content: { ...jsonBody(AckBody).content, ...BYTES } } },
  responses: { 204: empty("It is confirmed, or was already", "Innkeeper-Watcher-Token") },
  faults: [
    "scope-not-found",
    "watcher-not-found",
    "watcher-not-owned",
    "watcher-token-spent",
    "stale-generation",
    "wrong-length",
  ],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { generation, epoch } = await ackOf(c.req);
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  const next = await watchers.http.ack(w, c.req.header(TOKEN_HEADER), generation, epoch);
  watchers.touch(w);
  if (next !== undefined) c.header(TOKEN_HEADER, next);
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
  operationId: "reportWatcherFailure",
  summary: "Report that one could not adapt; a later confirmation clears it",
  description:
    "The barrier stays shut and names the watcher with this reason, until it confirms after all " +
    "or is released.",
  needs: onScope("watch"),
  headers: ["Innkeeper-Watcher-Token"],
  request: { params: WatcherParam, body: jsonBody(FailureBody) },
  responses: { 204: { description: "The barrier names it with its reason" } },
  faults: [
    "scope-not-found",
    "watcher-not-found",
    "watcher-not-owned",
    "watcher-token-spent",
    "stale-generation",
    "already-confirmed",
  ],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { generation, reason } = c.req.valid("json");
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  await watchers.http.requireToken(w, c.req.header(TOKEN_HEADER));
  watchers.touch(w);
  await watchers.fail(w, generation, reason);
  return c.body(null, 204);
});

const followQuiesce = endpoint({
  method: "put",
  path: "/v1/scopes/{s}/watchers/{w}/quiesced",
  operationId: "followQuiesce",
  summary: "Follow a quiesce: stand still until it ends or the bump is confirmed",
  description:
    "Says that the watcher stands still, or that it cannot. It goes on when the quiesce ends or when it has " +
    "confirmed the bump.",
  needs: onScope("watch"),
  headers: ["Innkeeper-Watcher-Token"],
  // Without a body it answers whichever quiesce is on.
  request: { params: WatcherParam, body: { content: jsonBody(QuiescedBody).content } },
  responses: { 204: { description: "It is taken" } },
  faults: [
    "scope-not-found",
    "watcher-not-found",
    "watcher-not-owned",
    "watcher-token-spent",
    "not-quiescing",
  ],
}).handle(async (c, { scopes }) => {
  const { s, w } = c.req.valid("param");
  const { watchers } = scopes.get(s);
  watchers.requireOwner(w, c.get("principal"));
  await watchers.http.requireToken(w, c.req.header(TOKEN_HEADER));
  const hasBody = c.req.header("content-type") !== undefined;
  const { quiesce, cannot } = hasBody ? QuiescedBody.parse(await c.req.json()) : {};
  watchers.touch(w);
  watchers.quiesced(w, quiesce, cannot);
  return c.body(null, 204);
});

/** `…/watchers`: watching over HTTP, call by call as with the driver's file. */
export const watcherEndpoints = [
  ...[listWatchers, putWatcher, showWatcher, releaseWatcher],
  ...[readGeneration, ackGeneration, reportFailure, followQuiesce],
];
