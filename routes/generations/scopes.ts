import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/core/time.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import {
  BumpBody,
  BumpView,
  ForceQuery,
  GenerationView,
  HistoryView,
  ScopeList,
  ScopeOptionsBody,
  ScopesQuery,
  ScopeView,
} from "../../src/wire/generations.ts";
import { preferredWaitMs } from "../../src/wire/http/prefer.ts";
import { barrierRoutes } from "./barrier.ts";
import type { Env } from "../http/env.ts";
import { pageOf } from "../http/pagination.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";
import { pageRoutes } from "./pages.ts";
import { generationView, scopeParams, scopeView, tags, waitOf } from "./views.ts";
import { watcherRoutes } from "./watchers.ts";

/**
 * `/v1/scopes`: generations over HTTP.
 *
 * @param stopping Ends long polls when the daemon stops
 */
export function scopeRoutes(scopes: Scopes, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  addScopes(routes, scopes);
  addBumps(routes, scopes, stopping);
  routes.route("/", watcherRoutes(scopes, stopping));
  routes.route("/", barrierRoutes(scopes, stopping));
  routes.route("/", pageRoutes(scopes));
  return routes;
}

function addScopes(routes: OpenAPIHono<Env>, scopes: Scopes): void {
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes",
      tags,
      summary: "List scopes",
      middleware: [needs("read")],
      request: { query: ScopesQuery },
      responses: { 200: json(ScopeList, "A page of scopes, by name"), ...problems() },
    }),
    (c) => {
      const { limit, cursor, phase } = c.req.valid("query");
      const list = scopes.list().filter(({ state }) => phase?.includes(state.phase) ?? true);
      return c.json(pageOf(list, ({ state }) => state.name, scopeView, limit, cursor), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/scopes/{s}",
      tags,
      summary: "Make a scope or replace its options",
      middleware: [needs("write")],
      request: { params: scopeParams, body: jsonBody(ScopeOptionsBody) },
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
      request: { params: scopeParams },
      responses: { 200: json(ScopeView, "The scope"), ...problems("scope-not-found") },
    }),
    (c) => c.json(scopeView(scopes.get(c.req.valid("param").s)), 200),
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/scopes/{s}",
      tags,
      summary: "Delete a scope; its pages and its counter stay",
      middleware: [needs("write")],
      request: { params: scopeParams, query: ForceQuery },
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
}

function addBumps(routes: OpenAPIHono<Env>, scopes: Scopes, stopping: AbortSignal): void {
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/scopes/{s}/bumps",
      tags,
      summary: "Change the generation: tell every watcher of a restore or clone",
      middleware: [needs("bump")],
      request: { params: scopeParams, body: jsonBody(BumpBody) },
      responses: {
        201: json(BumpView, "The new generation"),
        ...problems(
          "scope-not-found",
          "bump-not-permitted",
          "minimum-out-of-range",
          "not-quiesced",
          "page-unusable",
        ),
      },
    }),
    async (c) => {
      const ask = c.req.valid("json");
      const principal = c.get("principal");
      if (ask.force === true) principal.require("admin");
      const { bump, outdated } = await scopes.get(c.req.valid("param").s)
        .bump({ ...ask, by: principal.name });
      return c.json({ ...generationView(bump), outdated }, 201);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/generation",
      tags,
      summary: "The current generation; with If-None-Match and Prefer a long poll for the next",
      middleware: [needs("read")],
      request: { params: scopeParams },
      responses: {
        200: {
          ...json(GenerationView, "The generation; its epoch is the ETag"),
          headers: z.object({ etag: z.string() }),
        },
        304: { description: "It has not changed in time" },
        ...problems("scope-not-found"),
      },
    }),
    async (c) => {
      const scope = scopes.get(c.req.valid("param").s);
      const known = knownEpoch(c.req.header("if-none-match"));
      const preferredMs = preferredWaitMs(c.req.header("prefer"));
      if (preferredMs !== undefined) c.header("preference-applied", `wait=${preferredMs / 1000}`);
      const current = known === undefined
        ? scope.state.current
        : await scope.changed(known, waitOf(preferredMs, c.req.raw, stopping));
      c.header("etag", `"${scope.state.epoch}"`);
      if (current === undefined) return c.body(null, 304);
      c.header("etag", `"${current.epoch}"`);
      return c.json(generationView(current), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/history",
      tags,
      summary: "The last bumps since the daemon's start, newest first",
      middleware: [needs("read")],
      request: { params: scopeParams },
      responses: { 200: json(HistoryView, "The bumps"), ...problems("scope-not-found") },
    }),
    (c) => {
      const { history } = scopes.get(c.req.valid("param").s);
      const items = history.map(({ bump, outdated, tookMs }) => ({
        ...generationView(bump),
        outdated,
        reason: bump.reason,
        by: bump.by,
        at: rfc3339(bump.atNs),
        ...(tookMs === undefined ? {} : { tookMs }),
      }));
      return c.json({ items }, 200);
    },
  );
}

/** The epoch of an `If-None-Match` with one ETag of ours; others match nothing. */
function knownEpoch(ifNoneMatch: string | undefined): bigint | undefined {
  const match = /^\s*(?:W\/)?"([0-9]{1,20})"\s*$/.exec(ifNoneMatch ?? "");
  return match === null ? undefined : BigInt(match[1] as string);
}
