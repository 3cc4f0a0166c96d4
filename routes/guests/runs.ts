import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Guests } from "../../src/guests/guests.ts";
import {
  ExitView,
  GuestView,
  InterruptBody,
  RunBody,
  SnapshotView,
  StateBody,
  VcpuQuery,
} from "../../src/wire/guests.ts";
import type { Env } from "../http/env.ts";
import { exitView, GuestParam, guestView, OWNED, OWNER_HEADER, OwnerHeaders } from "./views.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";
import { snapshotView } from "./snapshots.ts";

const tags = ["guests"];

/**
 * Running, pausing, interrupting and snapshotting a guest.
 *
 * @param stopping Interrupts runs when the daemon stops
 */
export function runRoutes(guests: Guests, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/guests/{g}/runs",
      tags,
      summary: "Run a guest until something interesting happens",
      middleware: [needs("guest")],
      request: {
        params: GuestParam,
        headers: OwnerHeaders,
        query: VcpuQuery,
        body: jsonBody(RunBody),
      },
      responses: {
        200: json(ExitView, "Why it ended. A client that goes away interrupts the run"),
        ...problems(...OWNED, "already-running", "vcpu-out-of-range"),
      },
    }),
    async (c) => {
      const guest = guests.owned(c.req.valid("param").g, c.req.header(OWNER_HEADER));
      const { budgetMs } = c.req.valid("json");
      const signal = AbortSignal.any([c.req.raw.signal, stopping]);
      return c.json(exitView(await guest.run(budgetMs, signal)), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/guests/{g}/state",
      tags,
      summary: "Run a guest in the background, pause it or make it ready, ending its run",
      middleware: [needs("guest")],
      request: { params: GuestParam, headers: OwnerHeaders, body: jsonBody(StateBody) },
      responses: {
        200: json(GuestView, "The guest, now or already so"),
        ...problems("guest-not-found", "not-owner", "guest-dead"),
      },
    }),
    async (c) => {
      const guest = guests.owned(c.req.valid("param").g, c.req.header(OWNER_HEADER));
      const { state } = c.req.valid("json");
      if (state === "running") await guest.start();
      else if (state === "paused") await guest.pause();
      else await guest.unpause();
      return c.json(guestView(guest), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/guests/{g}/interrupts",
      tags,
      summary: "Raise an interrupt line; the owner's token is not needed",
      middleware: [needs("irq")],
      request: { params: GuestParam, query: VcpuQuery, body: jsonBody(InterruptBody) },
      responses: {
        202: { description: "The line is pending" },
        ...problems(
          "guest-not-found",
          "guest-dead",
          "wrong-guest-kind",
          "line-out-of-range",
          "vcpu-out-of-range",
        ),
      },
    }),
    (c) => {
      guests.get(c.req.valid("param").g).interrupt(c.req.valid("json").line);
      return c.body(null, 202);
    },
  );
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/guests/{g}/snapshots",
      tags,
      summary: "Snapshot a paused guest",
      middleware: [needs("guest")],
      request: { params: GuestParam, headers: OwnerHeaders },
      responses: {
        201: json(SnapshotView, "The snapshot, on stable storage"),
        ...problems(...OWNED, "snapshots-exhausted"),
      },
    }),
    async (c) => {
      const { g } = c.req.valid("param");
      const snapshot = await guests.snapshot(g, c.req.header(OWNER_HEADER));
      return c.json(snapshotView(snapshot), 201);
    },
  );
  return routes;
}
