import { asFault, Fault } from "../../src/core/faults.ts";
import { rfc3339 } from "../../src/wire/time.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import {
  BumpBody,
  BumpQuery,
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
import { GenerationQuery } from "../../src/wire/generation_poll.ts";
import { Routes } from "../http/endpoint.ts";
import { empty, json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { onScope } from "../http/rights.ts";
import { waitFor, waitOf } from "../http/wait.ts";
import { BARRIER_FAULTS, barrierEndpoints } from "./barrier.ts";
import { showPage } from "./pages.ts";
import { pollWithQuiesce } from "./quiesce_poll.ts";
import { barrierOpenView, endpoint, generationView, scopeView } from "./views.ts";
import { watcherEndpoints } from "./watchers.ts";

const listScopes = endpoint({
  method: "get",
  path: "/v1/scopes",
  operationId: "listScopes",
  summary: "List scopes",
  description: "Lists scopes by name, in pages. `phase` leaves out those in other phases.",
  needs: { permission: "read", on: { kind: "scopes", in: "each item" } },
  request: { query: ScopesQuery },
  responses: { 200: json(ScopeList, "A page of scopes, by name") },
  faults: [],
}).handle((c, { scopes }) => {
  const { phase, ...query } = c.req.valid("query");
  const principal = c.get("principal");
  const list = scopes.list().filter(({ state: { name, phase: its } }) =>
    principal.may("read", { kind: "scopes", name }) && (phase?.includes(its) ?? true)
  );
  return c.json(pageOf(list, ({ state }) => state.name, scopeView, query, c.get("seq")), 200);
});

const putScope = endpoint({
  method: "put",
  path: "/v1/scopes/{s}",
  operationId: "putScope",
  summary: "Make a scope or replace its options",
  description:
    "A new scope starts at generation 1, or goes on where a deleted one of its name stopped. The " +
    "options of a known scope are replaced as a whole: what is left out gets its default.",
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
  operationId: "showScope",
  summary: "Show a scope",
  description:
    "Shows the generation of a scope, its options, and how many watchers are waited for.",
  needs: onScope("read"),
  request: { params: ScopeParam },
  responses: { 200: json(ScopeView, "The scope") },
  faults: ["scope-not-found"],
}).handle((c, { scopes }) => c.json(scopeView(scopes.get(c.req.valid("param").s)), 200));

const deleteScope = endpoint({
  method: "delete",
  path: "/v1/scopes/{s}",
  operationId: "deleteScope",
  summary: "Delete a scope; its pages and its counter stay while somebody has them",
  description:
    "The counter is remembered: a scope of the same name goes on with it. While somebody watches " +
    "it is refused, unless `force=true` and the caller has `admin`.",
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
  operationId: "bumpScope",
  summary: "Change the generation: tell every watcher of a restore or clone",
  description:
    "Call it after a restore or clone and before the program gets traffic. Every tracked watcher " +
    "is outdated from then on, and the barrier is shut until all have confirmed. The bump is on " +
    "stable storage before the answer. With `Prefer: wait=N` the answer comes when the barrier has " +
    "opened, with the evidence for it. When it has not within N seconds the answer is the refusal " +
    "of the barrier, and `bumped` in it is the generation that was made: wait at the barrier then, " +
    "since another bump would begin anew.",
  needs: onScope("bump"),
  also: [
    { permission: "admin", when: '"force": true' },
    { ...onScope("read"), when: "`Prefer: wait`" },
  ],
  headers: ["Prefer"],
  request: { params: ScopeParam, query: BumpQuery, body: jsonBody(BumpBody) },
  responses: { 201: json(BumpView, "The new generation", "Preference-Applied") },
  faults: [
    ...BARRIER_FAULTS,
    "scope-not-found",
    "bump-not-permitted",
    "minimum-out-of-range",
    "not-quiesced",
    "page-unusable",
  ],
}).handle(async (c, { scopes, stopping }) => {
  const request = c.req.valid("json");
  const principal = c.get("principal");
  if (request.force === true) principal.require("admin");
  const { s } = c.req.valid("param");
  const { preferredMs: waitMs, signal } = waitOf(c, stopping);
  if (waitMs !== undefined) principal.require("read", { kind: "scopes", name: s });
  const scope = scopes.get(s);
  const { bump, outdated } = await scope.bump({
    ...request,
    by: principal.name,
    once: c.get("once"),
  });
  const made = { ...generationView(bump), outdated };
  if (waitMs === undefined) return c.json(made, 201);
  const barrier = { epoch: bump.epoch, atLeast: c.req.valid("query").atLeast };
  try {
    const open = await waitFor(stopping, scope.barrier(barrier, { waitMs, signal }));
    return c.json({ ...made, barrier: barrierOpenView(open, scope.state.options) }, 201);
  } catch (error) {
    throw shutAfterBump(asFault(error), made);
  }
});

/** The refusal of a bump's barrier. Whoever repeats the request would bump again, so it says not to. */
function shutAfterBump({ code, message, members }: Fault, bumped: object): Fault {
  return new Fault(
    code,
    `The bump is done, and its barrier is not open; wait there, and do not bump again. ${message}`,
    { members: { ...members, bumped, retryable: false } },
  );
}

const POLL_HEADERS = ["ETag", "Innkeeper-Quiesce", "Preference-Applied"] as const;

const showGeneration = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/generation",
  operationId: "showGeneration",
  summary: "The current generation; with If-None-Match and Prefer a long poll for the next",
  description:
    "With `If-None-Match` of a known epoch and `Prefer: wait=N` the answer comes when the " +
    "generation changes, or after N seconds as 304. It comes earlier when a quiesce begins or ends: " +
    "`Innkeeper-Quiesce` names the one that is on.",
  needs: onScope("read"),
  headers: ["If-None-Match", "Prefer"],
  request: { params: ScopeParam, query: GenerationQuery },
  responses: {
    200: json(
      GenerationView,
      "The generation; its epoch is the ETag",
      ...POLL_HEADERS,
    ),
    304: empty("It has not changed in time", ...POLL_HEADERS),
  },
  faults: ["scope-not-found"],
}).handle(async (c, { scopes, stopping }) => {
  const scope = scopes.get(c.req.valid("param").s);
  const known = knownEpoch(c.req.header("if-none-match"));
  const { quiesce } = c.req.valid("query");
  const current = await pollWithQuiesce(
    ...[c, scope, stopping, { known: quiesce }] as const,
    async (waitMs, signal) =>
      known === undefined ? scope.state.current : await scope.changed(known, { waitMs, signal }),
  );
  c.header("etag", `"${current?.epoch ?? scope.state.epoch}"`);
  return current === undefined ? c.body(null, 304) : c.json(generationView(current), 200);
});

const listBumps = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/history",
  operationId: "listBumps",
  summary: "The last bumps, newest first",
  description:
    "Shows who bumped the scope, when and why, and how long it took until all had confirmed.",
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
