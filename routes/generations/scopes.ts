import { z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/wire/time.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import {
  BumpBody,
  BumpView,
  ForceQuery,
  GenerationView,
  HistoryView,
  ScopeList,
  ScopeOptionsBody,
  ScopeParam,
  ScopesQuery,
  ScopeView,
} from "../../src/wire/generations.ts";
import { Routes } from "../http/endpoint.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { onScope } from "../http/rights.ts";
import { waitOf } from "../http/wait.ts";
import { barrierEndpoints } from "./barrier.ts";
import { showPage } from "./pages.ts";
import { endpoint, generationView, scopeView } from "./views.ts";
import { watcherEndpoints } from "./watchers.ts";

const listScopes = endpoint({
  method: "get",
  path: "/v1/scopes",
  summary: "List scopes",
  needs: { permission: "read", on: { kind: "scopes", in: "each item" } },
  request: { query: ScopesQuery },
  responses: { 200: json(ScopeList, "A page of scopes, by name") },
}).handle((c, { scopes }) => {
  const { phase, ...query } = c.req.valid("query");
  const principal = c.get("principal");
  const list = scopes.list().filter(({ state: { name, phase: its } }) =>
    principal.may("read", { kind: "scopes", name }) && (phase?.includes(its) ?? true)
  );
  return c.json(pageOf(list, ({ state }) => state.name, scopeView, query), 200);
});

const putScope = endpoint({
  method: "put",
  path: "/v1/scopes/{s}",
  summary: "Make a scope or replace its options",
  needs: onScope("write"),
  request: { params: ScopeParam, body: jsonBody(ScopeOptionsBody) },
  responses: {
    201: json(ScopeView, "It is new"),
    200: json(ScopeView, "Its options are replaced"),
  },
  faults: ["scopes-exhausted", "page-unusable"],
}).handle(async (c, { scopes }) => {
  const { scope, created } = await scopes.put(c.req.valid("param").s, c.req.valid("json"));
  return c.json(scopeView(scope), created ? 201 : 200);
});

const showScope = endpoint({
  method: "get",
  path: "/v1/scopes/{s}",
  summary: "Show a scope",
  needs: onScope("read"),
  request: { params: ScopeParam },
  responses: { 200: json(ScopeView, "The scope") },
  faults: ["scope-not-found"],
}).handle((c, { scopes }) => c.json(scopeView(scopes.get(c.req.valid("param").s)), 200));

const deleteScope = endpoint({
  method: "delete",
  path: "/v1/scopes/{s}",
  summary: "Delete a scope; its pages and its counter stay",
  needs: onScope("write"),
  also: [{ permission: "admin", when: "force=true" }],
  request: { params: ScopeParam, query: ForceQuery },
  responses: { 204: { description: "It is deleted" } },
  faults: ["scope-not-found", "scope-in-use", "scopes-exhausted"],
}).handle(async (c, { scopes }) => {
  const { force = false } = c.req.valid("query");
  if (force) c.get("principal").require("admin");
  await scopes.delete(c.req.valid("param").s, force);
  return c.body(null, 204);
});

const bumpScope = endpoint({
  method: "post",
  path: "/v1/scopes/{s}/bumps",
  summary: "Change the generation: tell every watcher of a restore or clone",
  needs: onScope("bump"),
  also: [{ permission: "admin", when: '"force": true' }],
  request: { params: ScopeParam, body: jsonBody(BumpBody) },
  responses: { 201: json(BumpView, "The new generation") },
  faults: [
    "scope-not-found",
    "bump-not-permitted",
    "minimum-out-of-range",
    "not-quiesced",
    "page-unusable",
  ],
}).handle(async (c, { scopes }) => {
  const request = c.req.valid("json");
  const principal = c.get("principal");
  if (request.force === true) principal.require("admin");
  const scope = scopes.get(c.req.valid("param").s);
  const { bump, outdated } = await scope.bump({ ...request, by: principal.name });
  return c.json({ ...generationView(bump), outdated }, 201);
});

const showGeneration = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/generation",
  summary: "The current generation; with If-None-Match and Prefer a long poll for the next",
  needs: onScope("read"),
  request: { params: ScopeParam },
  responses: {
    200: {
      ...json(GenerationView, "The generation; its epoch is the ETag"),
      headers: z.object({ etag: z.string() }),
    },
    304: { description: "It has not changed in time" },
  },
  faults: ["scope-not-found"],
}).handle(async (c, { scopes, stopping }) => {
  const scope = scopes.get(c.req.valid("param").s);
  const known = knownEpoch(c.req.header("if-none-match"));
  const wait = waitOf(c, stopping);
  const current = known === undefined ? scope.state.current : await scope.changed(known, wait);
  c.header("etag", `"${current?.epoch ?? scope.state.epoch}"`);
  return current === undefined ? c.body(null, 304) : c.json(generationView(current), 200);
});

const listBumps = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/history",
  summary: "The last bumps since the daemon's start, newest first",
  needs: onScope("read"),
  request: { params: ScopeParam },
  responses: { 200: json(HistoryView, "The bumps") },
  faults: ["scope-not-found"],
}).handle((c, { scopes }) => {
  const { history } = scopes.get(c.req.valid("param").s);
  const items = history.map(({ bump, outdated, tookMs }) => ({
    ...generationView(bump),
    outdated,
    reason: bump.reason,
    by: bump.by,
    at: rfc3339(bump.atNs),
    tookMs,
  }));
  return c.json({ items }, 200);
});

/** The epoch of an `If-None-Match` that has one ETag of ours. Any other header matches nothing. */
function knownEpoch(ifNoneMatch: string | undefined): bigint | undefined {
  const epoch = /^\s*(?:W\/)?"([0-9]{1,20})"\s*$/.exec(ifNoneMatch ?? "")?.[1];
  return epoch === undefined ? undefined : BigInt(epoch);
}

/**
 * `/v1/scopes`: generations over HTTP.
 *
 * @param stopping Ends long polls when the daemon stops
 */
export function scopeRoutes(scopes: Scopes, stopping: AbortSignal): Routes {
  return new Routes().add([
    ...[listScopes, putScope, showScope, deleteScope, bumpScope, showGeneration, listBumps],
    ...watcherEndpoints,
    ...barrierEndpoints,
    showPage,
  ], { scopes, stopping });
}
