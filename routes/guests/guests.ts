import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { Innkeeper } from "../../src/daemon/innkeeper.ts";
import type { Guests } from "../../src/guests/guests.ts";
import {
  CreatedGuestView,
  CreateGuestBody,
  GuestList,
  GuestsQuery,
  GuestView,
  OwnerView,
} from "../../src/wire/guests.ts";
import type { Env } from "../http/env.ts";
import { GuestParam, guestView, OWNER_HEADER, OwnerHeaders } from "./views.ts";
import { channelRoutes } from "./channels.ts";
import { memoryRoutes } from "./memory.ts";
import { registerRoutes } from "./registers.ts";
import { runRoutes } from "./runs.ts";
import { pageOf } from "../http/pagination.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";
import { snapshotRoutes } from "./snapshots.ts";

const tags = ["guests"];

/** Faults of opening what a guest is made of: its files, its disks, its share. */
const OPENING = [
  "root-not-found",
  "outside-root",
  "file-not-found",
  "file-not-permitted",
  "not-a-file",
  "inode-mode-differs",
  "holders-exhausted",
  "open-inodes-exhausted",
  "backing-failed",
  "backing-full",
  "backing-changed",
] as const satisfies readonly FaultCode[];

/** What makes guests, and the guests. */
export type GuestMaker = Pick<Innkeeper, "guests" | "createGuest">;

/**
 * `/v1/guests` and `/v1/snapshots`: the launcher's interface over HTTP.
 *
 * @param stopping Ends runs and waits when the daemon stops
 */
export function guestRoutes(innkeeper: GuestMaker, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.use("/v1/guests/:g/*", holdsLease(innkeeper.guests));
  routes.route("/", lifeRoutes(innkeeper));
  routes.route("/", runRoutes(innkeeper.guests, stopping));
  routes.route("/", channelRoutes(innkeeper.guests, stopping));
  routes.route("/", registerRoutes(innkeeper.guests));
  routes.route("/", memoryRoutes(innkeeper.guests));
  routes.route("/", snapshotRoutes(innkeeper.guests.snapshots));
  return routes;
}

function lifeRoutes(innkeeper: GuestMaker): OpenAPIHono<Env> {
  const { guests } = innkeeper;
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/guests",
      tags,
      summary: "Make a guest from a program, a Linux kernel or a snapshot",
      middleware: [needs("guest")],
      request: { body: jsonBody(CreateGuestBody) },
      responses: {
        201: json(CreatedGuestView, "The guest, and its owner's token, which is shown only here"),
        ...problems(
          "already-initialized",
          "guests-exhausted",
          "memory-exhausted",
          "address-out-of-range",
          "engine-unavailable",
          "inode-not-found",
          ...OPENING,
          "snapshot-not-found",
          "snapshot-damaged",
          "snapshot-version",
        ),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      // What a guest reads or remembers its maker reads through it.
      const isBlank = body.bare?.load.every((piece) => !("inode" in piece)) === true;
      if (!isBlank) c.get("principal").require("read");
      const { guest, ownerToken } = await innkeeper.createGuest(body, c.get("principal").name);
      return c.json({ ...guestView(guest), ownerToken }, 201);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests",
      tags,
      summary: "List guests",
      middleware: [needs("read")],
      request: { query: GuestsQuery },
      responses: { 200: json(GuestList, "A page of guests, by id"), ...problems() },
    }),
    (c) => {
      const { limit, cursor } = c.req.valid("query");
      return c.json(pageOf(guests.list(), ({ id }) => id, guestView, limit, cursor), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}",
      tags,
      summary: "Show a guest",
      middleware: [needs("read")],
      request: { params: GuestParam },
      responses: { 200: json(GuestView, "The guest"), ...problems("guest-not-found") },
    }),
    (c) => c.json(guestView(guests.get(c.req.valid("param").g)), 200),
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/guests/{g}",
      tags,
      summary: "Delete a guest; an admin needs no owner's token",
      middleware: [needs("guest")],
      request: { params: GuestParam, headers: OwnerHeaders },
      responses: {
        204: { description: "There is no such guest any more" },
        ...problems("not-owner"),
      },
    }),
    async (c) => {
      await guests.delete(c.req.valid("param").g, {
        ownerToken: c.req.header(OWNER_HEADER),
        force: c.get("principal").may("admin"),
      });
      return c.body(null, 204);
    },
  );
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/guests/{g}/owner",
      tags,
      summary: "Give a guest another owner; the token before is worth nothing then",
      middleware: [needs("admin")],
      request: { params: GuestParam },
      responses: {
        201: json(OwnerView, "The new owner's token, which is shown only here"),
        ...problems("guest-not-found", "guest-dead"),
      },
    }),
    (c) => c.json({ ownerToken: guests.newOwner(c.req.valid("param").g) }, 201),
  );
  return routes;
}

/** Any request of the owner keeps its lease, for as long as the request lasts and anew after. */
function holdsLease(guests: Guests): MiddlewareHandler<Env> {
  return async (c, next) => {
    const release = guests.hold(c.req.param("g") ?? "", c.req.header(OWNER_HEADER));
    try {
      await next();
    } finally {
      release();
    }
  };
}
