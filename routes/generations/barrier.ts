import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { Fault } from "../../src/core/faults.ts";
import { BARRIER_MS_MAX } from "../../src/core/limits.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import {
  BarrierQuery,
  OpenWithLostView,
  QuiesceBody,
  QuiesceView,
} from "../../src/wire/generations.ts";
import { preferredWaitMs } from "../../src/wire/http/prefer.ts";
import type { Env } from "../http/env.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";
import { scopeParams, tags, waitOf } from "./views.ts";

/** `…/barrier` and `…/quiesce`: waiting for all watchers, after a bump and before one. */
export function barrierRoutes(scopes: Scopes, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/barrier",
      tags,
      summary: "Pass only when every tracked watcher has confirmed",
      middleware: [needs("read")],
      request: { params: scopeParams, query: BarrierQuery },
      responses: {
        204: { description: "Every tracked watcher has confirmed this generation" },
        200: json(OpenWithLostView, "All but lost ones have, and the scope lets that pass"),
        ...problems(
          "scope-not-found",
          "watcher-not-found",
          "watchers-outdated",
          "watchers-failed",
          "watchers-lost",
          "generation-changed",
          "caller-outdated",
        ),
      },
    }),
    async (c) => {
      const { timeoutMs, ...ask } = c.req.valid("query");
      const preferredMs = preferredWaitMs(c.req.header("prefer"));
      const wait = waitOf(barrierWaitMs(timeoutMs, preferredMs), c.req.raw, stopping);
      const open = await scopes.get(c.req.valid("param").s).barrier(ask, wait);
      c.header("etag", `"${open.epoch}"`);
      c.header("innkeeper-generation", String(open.generation));
      if (preferredMs !== undefined) c.header("preference-applied", `wait=${preferredMs / 1000}`);
      if (open.lost.length === 0) return c.body(null, 204);
      const lost = open.lost.map(({ id, name }) => ({ watcher: id, name }));
      return c.json({ generation: open.generation, epoch: String(open.epoch), lost }, 200);
    },
  );
  addQuiesce(routes, scopes, stopping);
  return routes;
}

function addQuiesce(routes: OpenAPIHono<Env>, scopes: Scopes, stopping: AbortSignal): void {
  const path = "/v1/scopes/{s}/quiesce";
  routes.openapi(
    createRoute({
      method: "post",
      path,
      tags,
      summary: "Ask the watchers to stand still before a bump",
      middleware: [needs("bump")],
      request: { params: scopeParams, body: jsonBody(QuiesceBody) },
      responses: { 202: json(QuiesceView, "They are asked"), ...problems("scope-not-found") },
    }),
    async (c) => {
      const scope = scopes.get(c.req.valid("param").s);
      const quiesce = c.req.valid("json");
      await scope.beginQuiesce(quiesce);
      return c.json({ phase: scope.state.phase, ...quiesce }, 202);
    },
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path,
      tags,
      summary: "Let the watchers go on",
      middleware: [needs("bump")],
      request: { params: scopeParams },
      responses: { 204: { description: "They go on" }, ...problems("scope-not-found") },
    }),
    async (c) => {
      const { name } = c.get("principal");
      await scopes.get(c.req.valid("param").s).unquiesce(`ended by ${name}`);
      return c.body(null, 204);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path,
      tags,
      summary: "Pass only when every tracked watcher has quiesced",
      middleware: [needs("read")],
      request: { params: scopeParams },
      responses: {
        204: { description: "All have quiesced" },
        ...problems("scope-not-found", "not-quiesced", "not-quiescing"),
      },
    }),
    async (c) => {
      const waitMs = preferredWaitMs(c.req.header("prefer"));
      await scopes.get(c.req.valid("param").s).quiesced(waitOf(waitMs, c.req.raw, stopping));
      if (waitMs !== undefined) c.header("preference-applied", `wait=${waitMs / 1000}`);
      return c.body(null, 204);
    },
  );
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
