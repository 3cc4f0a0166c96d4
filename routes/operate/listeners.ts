import type { z } from "@hono/zod-openapi";
import type { RunTimeListener, RunTimeListeners } from "../../src/access/run_time_listeners.ts";
import type { Principal } from "../../src/access/tokens.ts";
import type { Permission } from "../../src/core/rights.ts";
import {
  ListenerBody,
  ListenerList,
  ListenerParam,
  ListenersQuery,
  ListenerView,
} from "../../src/wire/listeners.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import type { FurtherNeed, Need } from "../http/rights.ts";

const endpoint = endpointsOf<RunTimeListeners>("daemon");

const onListener = (permission: Permission): Need => ({
  permission,
  on: { kind: "listeners", param: "l" },
});

/** Beside the right on its name: whoever makes a listener gives away no right that it lacks. */
const MAKING: readonly FurtherNeed[] = [
  {
    permission: "write",
    on: { kind: "listeners", in: "body" },
    when: "always: on `unix:` and the path",
  },
  ...(["read", "watch", "bump", "write"] as const).map((permission) => ({
    permission,
    on: { kind: "scopes", in: "body" } as const,
    when: `\`permissions\` has \`${permission}\``,
  })),
];

const listListeners = endpoint({
  method: "get",
  path: "/v1/listeners",
  operationId: "listListeners",
  summary: "List the sockets that were made at run time",
  description: "Lists them by name, in pages. Those of the command line are not among them.",
  needs: { permission: "read", on: { kind: "listeners", in: "each item" } },
  request: { query: ListenersQuery },
  responses: { 200: json(ListenerList, "A page of listeners, by name") },
  faults: [],
}).handle((c, listeners) => {
  const principal = c.get("principal");
  const list = listeners.list().filter(({ name }) =>
    principal.may("read", { kind: "listeners", name })
  );
  const query = c.req.valid("query");
  return c.json(pageOf(list, ({ name }) => name, listenerView, query, c.get("seq")), 200);
});

const putListener = endpoint({
  method: "put",
  path: "/v1/listeners/{l}",
  operationId: "putListener",
  summary: "Make a socket for one scope, or replace it",
  description:
    "Listens at a path of the host, such as the `v.sock_1024` by which a guest of Firecracker " +
    "connects. Whoever can open the socket acts as the principal `listener:NAME`, with these rights " +
    "on this scope and none else. It listens again after a restart. The path must be on the file " +
    "system of the run folder, and nothing may be there.",
  needs: onListener("write"),
  also: MAKING,
  request: { params: ListenerParam, body: jsonBody(ListenerBody) },
  responses: {
    201: json(ListenerView, "It is new, and listens"),
    200: json(ListenerView, "It listens as is wanted now"),
  },
  faults: ["path-taken", "path-unusable", "listeners-exhausted"],
}).handle(async (c, listeners) => {
  const request = c.req.valid("json");
  requireMaking(c.get("principal"), request);
  const { made, isNew } = await listeners.put(c.req.valid("param").l, request);
  return c.json(listenerView(made), isNew ? 201 : 200);
});

const showListener = endpoint({
  method: "get",
  path: "/v1/listeners/{l}",
  operationId: "getListener",
  summary: "Show a socket that was made at run time",
  description: "Says where it is, what whoever connects may do, and why it does not listen if so.",
  needs: onListener("read"),
  request: { params: ListenerParam },
  responses: { 200: json(ListenerView, "The listener") },
  faults: ["listener-not-found"],
}).handle((c, listeners) => c.json(listenerView(listeners.get(c.req.valid("param").l)), 200));

const deleteListener = endpoint({
  method: "delete",
  path: "/v1/listeners/{l}",
  operationId: "deleteListener",
  summary: "Delete a socket that was made at run time, with its connections",
  description:
    "Whoever came by it is cut off. Its watchers that somebody else has followed are released: " +
    "nobody can be them any more. Others stay in the barrier until they are released.",
  needs: onListener("write"),
  request: { params: ListenerParam },
  responses: { 204: { description: "It is gone" } },
  faults: ["listener-not-found"],
}).handle(async (c, listeners) => {
  await listeners.delete(c.req.valid("param").l);
  return c.body(null, 204);
});

function requireMaking(
  principal: Principal,
  { path, scope, permissions }: z.infer<typeof ListenerBody>,
): void {
  principal.require("write", { kind: "listeners", name: `unix:${path}` });
  for (const permission of permissions) {
    principal.require(permission, { kind: "scopes", name: scope });
  }
}

function listenerView(
  { name, path, scope, permissions, mode, principal, failure }: RunTimeListener,
): z.infer<typeof ListenerView> {
  return {
    ...{ name, path, scope, mode },
    permissions: [...permissions],
    principal: principal.name,
    listening: failure === undefined,
    reason: failure,
  };
}

/** `/v1/listeners`: sockets that are made at run time. */
export function listenerRoutes(listeners: RunTimeListeners): Routes {
  return new Routes().add(
    [listListeners, putListener, showListener, deleteListener],
    listeners,
  );
}
