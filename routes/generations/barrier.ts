import { Fault } from "../../src/core/faults.ts";
import { BARRIER_MS_MAX } from "../../src/core/limits.ts";
import {
  BarrierOpenView,
  BarrierQuery,
  QuiesceBody,
  QuiesceView,
  ScopeParam,
} from "../../src/wire/generations.ts";
import { JointBarrierQuery, JointBarrierView } from "../../src/wire/joint_barrier.ts";
import { empty, json, jsonBody } from "../http/openapi.ts";
import { onScope } from "../http/rights.ts";
import { waitFor, waitOf } from "../http/wait.ts";
import { barrierOpenView, endpoint } from "./views.ts";

const OPEN_HEADERS = ["ETag", "Innkeeper-Generation", "Preference-Applied"] as const;

/** Why a barrier stays shut. */
export const BARRIER_FAULTS = [
  "watchers-outdated",
  "watchers-failed",
  "watchers-lost",
  "expectations-unmet",
  "generation-changed",
] as const;

const passBarrier = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/barrier",
  operationId: "passBarrier",
  summary: "Pass only when every tracked watcher has confirmed",
  description:
    "Answers only when no tracked watcher is outdated and everybody who is expected has " +
    "confirmed; otherwise the answer is a refusal that names who is missing. `Prefer: wait=N` " +
    "waits up to N seconds for that.",
  needs: onScope("read"),
  request: { params: ScopeParam, query: BarrierQuery },
  headers: ["Prefer"],
  responses: {
    204: empty(
      "It is open: everybody who is waited for has confirmed this generation",
      ...OPEN_HEADERS,
    ),
    200: json(
      BarrierOpenView,
      "The same with the evidence, for `Accept: application/json`",
      ...OPEN_HEADERS,
    ),
  },
  faults: ["scope-not-found", "watcher-not-found", "caller-outdated", ...BARRIER_FAULTS],
}).handle(async (c, { scopes, stopping }) => {
  const { timeoutMs, ...request } = c.req.valid("query");
  const { preferredMs, signal } = waitOf(c, stopping);
  const waitMs = barrierWaitMs(timeoutMs, preferredMs);
  const scope = scopes.get(c.req.valid("param").s);
  const open = await waitFor(stopping, scope.barrier(request, { waitMs, signal }));
  c.header("etag", `"${open.epoch}"`);
  c.header("innkeeper-generation", String(open.generation));
  // Whoever was lost is named, whatever the caller accepts.
  const wantsBody = c.req.header("accept")?.includes("application/json") === true;
  const excused = open.lost.length + open.forgotten.length;
  if (!wantsBody && excused === 0) return c.body(null, 204);
  return c.json(barrierOpenView(open, scope.state.options), 200);
});

const passJointBarrier = endpoint({
  method: "get",
  path: "/v1/barrier",
  operationId: "passJointBarrier",
  summary: "Pass only when the barriers of several scopes are open at one moment",
  description:
    "Answers only when the barrier of each scope is open, all at one moment, each for the " +
    "generation that was current when the caller came. A refusal names in `scope` whose it is, and " +
    "in `shut` all that are not open. `Prefer: wait=N` waits up to N seconds.",
  needs: { permission: "read", on: { kind: "scopes", in: "query" } },
  request: { query: JointBarrierQuery },
  headers: ["Prefer"],
  responses: {
    204: empty("All are open, and nobody was excused", "Preference-Applied"),
    200: json(
      JointBarrierView,
      "The same with the evidence, for `Accept: application/json`",
      "Preference-Applied",
    ),
  },
  faults: ["scope-not-found", ...BARRIER_FAULTS],
}).handle(async (c, { scopes, stopping }) => {
  const { timeoutMs, scope: names, atLeast } = c.req.valid("query");
  for (const name of names) c.get("principal").require("read", { kind: "scopes", name });
  const { preferredMs, signal } = waitOf(c, stopping);
  const waitMs = barrierWaitMs(timeoutMs, preferredMs);
  const passing = scopes.barrier(names, { atLeast }, { waitMs, signal });
  const passed = await waitFor(stopping, passing);
  const wantsBody = c.req.header("accept")?.includes("application/json") === true;
  const excused = passed.some(({ open }) => open.lost.length + open.forgotten.length > 0);
  if (!wantsBody && !excused) return c.body(null, 204);
  const items = passed.map(({ scope: { state }, open }) => ({
    scope: state.name,
    ...barrierOpenView(open, state.options),
  }));
  return c.json({ items }, 200);
});

/** How long a barrier waits: as `Prefer` says, or as the driver's timeout, where 0 is no limit. */
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

const beginQuiesce = endpoint({
  method: "post",
  path: "/v1/scopes/{s}/quiesce",
  operationId: "beginQuiesce",
  summary: "Ask the watchers to stand still before a bump",
  description:
    "Watchers are told to stop using what a bump would change under them. The quiesce ends with " +
    "the bump, when it is ended, or by itself after `maxMs`.",
  needs: onScope("bump"),
  request: { params: ScopeParam, body: jsonBody(QuiesceBody) },
  responses: { 202: json(QuiesceView, "They are asked") },
  faults: ["scope-not-found"],
}).handle(async (c, { scopes }) => {
  const scope = scopes.get(c.req.valid("param").s);
  const { id, reason, maxMs } = await scope.beginQuiesce(c.req.valid("json"));
  return c.json({ quiesce: id, phase: scope.state.phase, reason, maxMs }, 202);
});

const endQuiesce = endpoint({
  method: "delete",
  path: "/v1/scopes/{s}/quiesce",
  operationId: "endQuiesce",
  summary: "Let the watchers go on",
  description: "Ends the quiesce without a bump. Without a quiesce nothing happens.",
  needs: onScope("bump"),
  request: { params: ScopeParam },
  responses: { 204: { description: "They go on" } },
  faults: ["scope-not-found"],
}).handle(async (c, { scopes }) => {
  await scopes.get(c.req.valid("param").s).unquiesce(`ended by ${c.get("principal").name}`);
  return c.body(null, 204);
});

const awaitQuiesced = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/quiesce",
  operationId: "awaitQuiesced",
  summary: "Pass only when every tracked watcher has quiesced",
  description:
    "Answers only when every tracked watcher stands still; otherwise the answer is a refusal " +
    "that names who does not. `Prefer: wait=N` waits up to N seconds for that.",
  needs: onScope("read"),
  request: { params: ScopeParam },
  headers: ["Prefer"],
  responses: { 204: empty("All have quiesced", "Preference-Applied") },
  faults: ["scope-not-found", "not-quiesced", "not-quiescing"],
}).handle(async (c, { scopes, stopping }) => {
  const scope = scopes.get(c.req.valid("param").s);
  await waitFor(stopping, scope.quiesced(waitOf(c, stopping)));
  return c.body(null, 204);
});

/** `…/barrier` and `…/quiesce`: waiting for all watchers, after a bump and before one. */
export const barrierEndpoints = [
  passBarrier,
  passJointBarrier,
  beginQuiesce,
  endQuiesce,
  awaitQuiesced,
];
