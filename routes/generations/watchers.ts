import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { HonoRequest } from "hono";
import { Fault } from "../../src/core/faults.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import type { Watcher } from "../../src/generations/watcher.ts";
import { sysgenidBytes, sysgenidGeneration } from "../../src/generations/sysgenid_page.ts";
import {
  AckBody,
  FailureBody,
  GenerationView,
  HttpWatcherBody,
  WatcherList,
  WatchersQuery,
  WatcherView,
} from "../../src/wire/generations.ts";
import { preferredWaitMs } from "../../src/wire/http/prefer.ts";
import { Name } from "../../src/wire/scalars.ts";
import { bytesOf } from "../http/octets.ts";
import type { Env } from "../http/env.ts";
import { pageOf } from "../http/pagination.ts";
import { bytes, bytesBody, json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";
import { generationView, scopeParams, tags, waitOf, watcherView } from "./views.ts";

const GENERATION_BYTES = 4n;
const BYTES_TYPE = "application/octet-stream";
const params = scopeParams.extend({ w: Name });
const unknown = ["scope-not-found", "watcher-not-found"] as const;

/** `…/watchers`: watching over HTTP, call by call as with the driver's file. */
export function watcherRoutes(scopes: Scopes, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  addRegistration(routes, scopes);
  addReading(routes, scopes, stopping);
  addConfirming(routes, scopes);
  return routes;
}

function addRegistration(routes: OpenAPIHono<Env>, scopes: Scopes): void {
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/watchers",
      tags,
      summary: "List the watchers of a scope",
      middleware: [needs("read")],
      request: { params: scopeParams, query: WatchersQuery },
      responses: { 200: json(WatcherList, "A page of watchers"), ...problems("scope-not-found") },
    }),
    (c) => {
      const { limit, cursor, tracked, outdated } = c.req.valid("query");
      const { state } = scopes.get(c.req.valid("param").s);
      const watchers = [...state.watchers]
        .filter((watcher) => tracked === undefined || tracked === String(watcher.tracked))
        .filter((one) => outdated === undefined || outdated === String(state.isOutdated(one)))
        .sort((a, b) => a.id < b.id ? -1 : 1);
      const view = (watcher: Watcher) => watcherView(state, watcher);
      return c.json(pageOf(watchers, ({ id }) => id, view, limit, cursor), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/scopes/{s}/watchers/{w}",
      tags,
      summary: "Watch over HTTP under an id of one's own choice; renews the lease",
      middleware: [needs("watch")],
      request: { params, body: jsonBody(HttpWatcherBody) },
      responses: {
        201: json(WatcherView, "It is new"),
        200: json(WatcherView, "It is changed"),
        ...problems("scope-not-found", "watchers-exhausted"),
      },
    }),
    async (c) => {
      const { s, w } = c.req.valid("param");
      const scope = scopes.get(s);
      const { watcher, created } = await scope.watchers.put(w, c.req.valid("json"));
      return c.json(watcherView(scope.state, watcher), created ? 201 : 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/watchers/{w}",
      tags,
      summary: "Show a watcher",
      middleware: [needs("read")],
      request: { params },
      responses: { 200: json(WatcherView, "The watcher"), ...problems(...unknown) },
    }),
    (c) => {
      const { s, w } = c.req.valid("param");
      const { state } = scopes.get(s);
      return c.json(watcherView(state, state.watcher(w)), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/scopes/{s}/watchers/{w}",
      tags,
      summary: "Release a watcher: barriers no longer wait for it",
      middleware: [needs("watch")],
      request: { params },
      responses: { 204: { description: "It is released" }, ...problems(...unknown) },
    }),
    async (c) => {
      const { s, w } = c.req.valid("param");
      await scopes.get(s).watchers.release(w);
      return c.body(null, 204);
    },
  );
}

function addReading(routes: OpenAPIHono<Env>, scopes: Scopes, stopping: AbortSignal): void {
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/watchers/{w}/generation",
      tags,
      summary: "The driver's read: the generation while it is not confirmed",
      middleware: [needs("watch")],
      request: { params },
      responses: {
        200: {
          description: "It is not confirmed yet; as 4 bytes for `Accept: application/octet-stream`",
          content: { ...bytes("").content, "application/json": { schema: GenerationView } },
        },
        204: { description: "There is none to confirm, and none came in time (EAGAIN)" },
        ...problems(...unknown),
      },
    }),
    async (c) => {
      const { s, w } = c.req.valid("param");
      const { watchers } = scopes.get(s);
      watchers.touch(w);
      const preferredMs = preferredWaitMs(c.req.header("prefer"));
      const { waitMs, signal } = waitOf(preferredMs, c.req.raw, stopping);
      const current = await watchers.read(w, waitMs, signal);
      if (preferredMs !== undefined) c.header("preference-applied", `wait=${preferredMs / 1000}`);
      if (current === undefined) return c.body(null, 204);
      c.header("etag", `"${current.epoch}"`);
      if (c.req.header("accept")?.includes(BYTES_TYPE) !== true) {
        return c.json(generationView(current), 200);
      }
      return c.body(sysgenidBytes(current.generation), 200, { "content-type": BYTES_TYPE });
    },
  );
}

function addConfirming(routes: OpenAPIHono<Env>, scopes: Scopes): void {
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/scopes/{s}/watchers/{w}/ack",
      tags,
      summary: "The driver's write: confirm exactly this generation",
      middleware: [needs("watch")],
      request: {
        params,
        // Not "required": the JSON schema would be held against the 4 bytes too.
        body: {
          content: { "application/json": { schema: AckBody }, ...bytesBody().content },
        },
      },
      responses: {
        204: { description: "It is confirmed, or was already" },
        ...problems(...unknown, "stale-generation", "wrong-length"),
      },
    }),
    async (c) => {
      const { s, w } = c.req.valid("param");
      const { generation, epoch } = await ackOf(c.req);
      const { watchers } = scopes.get(s);
      watchers.touch(w);
      watchers.ack(w, generation, epoch);
      return c.body(null, 204);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/scopes/{s}/watchers/{w}/failure",
      tags,
      summary: "Report that one could not adapt; a later confirmation clears it",
      middleware: [needs("watch")],
      request: { params, body: jsonBody(FailureBody) },
      responses: {
        204: { description: "The barrier names it with its reason" },
        ...problems(...unknown, "stale-generation", "already-confirmed"),
      },
    }),
    (c) => {
      const { s, w } = c.req.valid("param");
      const { generation, reason } = c.req.valid("json");
      const { watchers } = scopes.get(s);
      watchers.touch(w);
      watchers.fail(w, generation, reason);
      return c.body(null, 204);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/scopes/{s}/watchers/{w}/quiesced",
      tags,
      summary: "Follow a quiesce: stand still until it ends or the bump is confirmed",
      middleware: [needs("watch")],
      request: { params },
      responses: {
        204: { description: "It is taken" },
        ...problems(...unknown, "not-quiescing"),
      },
    }),
    (c) => {
      const { s, w } = c.req.valid("param");
      const { watchers } = scopes.get(s);
      watchers.touch(w);
      watchers.quiesced(w);
      return c.body(null, 204);
    },
  );
}

/** What is confirmed: in JSON, or in the 4 bytes that the driver takes. */
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
