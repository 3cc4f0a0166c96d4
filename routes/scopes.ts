import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Fault } from "../src/core/faults.ts";
import { BARRIER_MS_MAX, PAGE_BYTES } from "../src/core/limits.ts";
import { rfc3339 } from "../src/core/time.ts";
import type { LiveScope } from "../src/generations/live_scope.ts";
import type { Scope, Watcher } from "../src/generations/scope.ts";
import type { Scopes } from "../src/generations/scopes.ts";
import {
  BarrierQuery,
  BumpBody,
  BumpView,
  ForceQuery,
  PageView,
  ScopeList,
  ScopeOptionsBody,
  ScopeView,
  WatcherList,
  type WatcherView,
} from "../src/wire/generations.ts";
import { preferredWaitMs } from "../src/wire/prefer.ts";
import { Limit, Name } from "../src/wire/scalars.ts";
import type { Env } from "./env.ts";
import { pageOf } from "./list.ts";
import { bytes, json, jsonBody, needs, newRoutes, problems } from "./openapi.ts";

const params = z.object({ s: Name });
const list = z.strictObject({ limit: Limit, cursor: z.string().max(128).optional() });
const tags = ["generations"];

/**
 * `/v1/scopes`: generations over HTTP.
 *
 * @param stopping Ends waiting barriers when the daemon stops
 */
export function scopeRoutes(scopes: Scopes, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes",
      tags,
      summary: "List scopes",
      middleware: [needs("read")],
      request: { query: list },
      responses: { 200: json(ScopeList, "A page of scopes, by name"), ...problems() },
    }),
    (c) => {
      const { limit, cursor } = c.req.valid("query");
      return c.json(
        pageOf(scopes.list(), ({ state }) => state.name, scopeView, limit, cursor),
        200,
      );
    },
  );

  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/scopes/{s}",
      tags,
      summary: "Make a scope or replace its options",
      middleware: [needs("write")],
      request: { params, body: jsonBody(ScopeOptionsBody) },
      responses: {
        201: json(ScopeView, "It is new"),
        200: json(ScopeView, "Its options are replaced"),
        ...problems("scopes-exhausted", "page-unusable"),
      },
    }),
    async (c) => {
      const { scope, created } = await scopes.put(c.req.valid("param").s, c.req.valid("json"));
      return c.json(scopeView(scope), created ? 201 : 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}",
      tags,
      summary: "Show a scope",
      middleware: [needs("read")],
      request: { params },
      responses: { 200: json(ScopeView, "The scope"), ...problems("scope-not-found") },
    }),
    (c) => c.json(scopeView(scopes.get(c.req.valid("param").s)), 200),
  );

  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/scopes/{s}",
      tags,
      summary: "Delete a scope; its page and its counter stay",
      middleware: [needs("write")],
      request: { params, query: ForceQuery },
      responses: {
        204: { description: "It is deleted" },
        ...problems("scope-not-found", "scope-in-use", "scopes-exhausted"),
      },
    }),
    async (c) => {
      const force = c.req.valid("query").force === "true";
      if (force) c.get("principal").require("admin");
      await scopes.delete(c.req.valid("param").s, force);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/scopes/{s}/bumps",
      tags,
      summary: "Change the generation: tell every watcher of a restore or clone",
      middleware: [needs("bump")],
      request: { params, body: jsonBody(BumpBody) },
      responses: {
        201: json(BumpView, "The new generation"),
        ...problems("scope-not-found", "bump-not-permitted", "minimum-out-of-range"),
      },
    }),
    async (c) => {
      const { minimum, reason } = c.req.valid("json");
      const by = c.get("principal").name;
      const { bump, outdated } = await scopes.get(c.req.valid("param").s)
        .bump({ minimum, reason, by });
      const { generation, epoch, unique } = bump;
      return c.json({ generation, epoch: String(epoch), unique, outdated }, 201);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/barrier",
      tags,
      summary: "Pass only when every tracked watcher has confirmed",
      middleware: [needs("read")],
      request: { params, query: BarrierQuery },
      responses: {
        204: { description: "Every tracked watcher has confirmed this generation" },
        ...problems(
          "scope-not-found",
          "watcher-not-found",
          "watchers-outdated",
          "generation-changed",
          "caller-outdated",
        ),
      },
    }),
    async (c) => {
      const { timeoutMs, ...ask } = c.req.valid("query");
      const preferredMs = preferredWaitMs(c.req.header("prefer"));
      const { generation, epoch } = await scopes.get(c.req.valid("param").s)
        .barrier(
          ask,
          barrierWaitMs(timeoutMs, preferredMs),
          AbortSignal.any([stopping, c.req.raw.signal]),
        );
      c.header("etag", `"${epoch}"`);
      c.header("innkeeper-generation", String(generation));
      if (preferredMs !== undefined) c.header("preference-applied", `wait=${preferredMs / 1000}`);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/watchers",
      tags,
      summary: "List the watchers of a scope",
      middleware: [needs("read")],
      request: { params, query: list },
      responses: { 200: json(WatcherList, "A page of watchers"), ...problems("scope-not-found") },
    }),
    (c) => {
      const { limit, cursor } = c.req.valid("query");
      const { state } = scopes.get(c.req.valid("param").s);
      const watchers = [...state.watchers].sort((a, b) => a.id < b.id ? -1 : 1);
      const view = (watcher: Watcher) => watcherView(state, watcher);
      return c.json(pageOf(watchers, ({ id }) => id, view, limit, cursor), 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/scopes/{s}/watchers/{w}",
      tags,
      summary: "Release a watcher: barriers no longer wait for it",
      middleware: [needs("write")],
      request: { params: params.extend({ w: z.string().max(64) }) },
      responses: {
        204: { description: "It is released" },
        ...problems("scope-not-found", "watcher-not-found"),
      },
    }),
    async (c) => {
      const { s, w } = c.req.valid("param");
      await scopes.get(s).release(w);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/page",
      tags,
      summary: "The sysgenid page: its bytes, or where it is",
      middleware: [needs("read")],
      request: { params },
      responses: {
        200: {
          description: "The bytes of the page; with `Accept: application/json` where it is",
          content: {
            ...bytes("").content,
            "application/json": { schema: PageView },
          },
        },
        ...problems("scope-not-found"),
      },
    }),
    (c) => {
      const { page } = scopes.get(c.req.valid("param").s);
      if (c.req.header("accept")?.includes("application/json") === true) {
        const bindMount = `mount --bind ${page.path} /dev/sysgenid`;
        return c.json(
          { path: page.path, sizeBytes: PAGE_BYTES, layout: "sysgenid", bindMount } as const,
          200,
        );
      }
      return c.body(page.bytes(), 200, { "content-type": "application/octet-stream" });
    },
  );

  return routes;
}

/** How long a barrier waits: by `Prefer`, or with the driver's meaning, where 0 is no limit. */
function barrierWaitMs(timeoutMs: number | undefined, preferredMs: number | undefined): number {
  if (timeoutMs === undefined) return preferredMs ?? 0;
  if (preferredMs !== undefined) {
    throw new Fault(
      "malformed-request",
      "Cannot wait both ways: send either Prefer: wait=N or ?timeoutMs=",
    );
  }
  return timeoutMs === 0 ? BARRIER_MS_MAX : Math.min(timeoutMs, BARRIER_MS_MAX);
}

function scopeView({ state, page }: LiveScope): z.infer<typeof ScopeView> {
  const { current, settledGeneration } = state;
  return {
    name: state.name,
    generation: current.generation,
    epoch: String(current.epoch),
    unique: current.unique,
    phase: state.phase,
    reason: current.reason,
    changedAt: rfc3339(current.atNs),
    ...state.counts,
    ...(settledGeneration === undefined ? {} : { settledGeneration }),
    page: page.path,
    ...state.options,
  };
}

function watcherView(scope: Scope, watcher: Watcher): z.infer<typeof WatcherView> {
  const { id, name, tracked, presence, ackedAtNs } = watcher;
  return {
    watcher: id,
    name,
    tracked,
    presence,
    outdated: scope.isOutdated(watcher),
    ...(ackedAtNs === undefined ? {} : { ackedAt: rfc3339(ackedAtNs) }),
  };
}
