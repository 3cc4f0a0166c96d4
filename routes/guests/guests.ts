import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { CreateGuest, GuestHouse, GuestLoad } from "../../src/daemon/guest_house.ts";
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

/**
 * `/v1/guests` and `/v1/snapshots`: the launcher's interface over HTTP (seed 003).
 *
 * @param stopping Ends runs and waits when the daemon stops
 */
export function guestRoutes(house: GuestHouse, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.use("/v1/guests/:g/*", holdsLease(house.guests));
  routes.route("/", lifeRoutes(house));
  routes.route("/", runRoutes(house.guests, stopping));
  routes.route("/", channelRoutes(house.guests, stopping));
  routes.route("/", registerRoutes(house.guests));
  routes.route("/", memoryRoutes(house.guests));
  routes.route("/", snapshotRoutes(house.guests.snapshots));
  return routes;
}

function lifeRoutes(house: GuestHouse): OpenAPIHono<Env> {
  const { guests } = house;
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
      const { guest, ownerToken } = await house.createGuest(
        commandOf(body),
        c.get("principal").name,
      );
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

function commandOf(body: z.output<typeof CreateGuestBody>): CreateGuest {
  const { name, engine, scope, leaseMs, bare, linux, snapshot } = body;
  const asked = { name, engine, scope, leaseMs };
  if (linux !== undefined) {
    const { memoryMiB, kernel, initrd, commandLine, disks, share } = linux;
    const machine = { memoryMiB, kernel, initrd, commandLine, disks, share };
    return { ...asked, from: { linux: machine } };
  }
  if (bare === undefined) return { ...asked, from: { snapshot: snapshot ?? "" } };
  const { pfnLimit, start } = bare;
  const load = bare.load.map(({ at, inode, bytes }): GuestLoad =>
    inode === undefined ? { at, bytes: Uint8Array.fromBase64(bytes ?? "") } : { at, inode }
  );
  return { ...asked, from: { program: { pfnLimit, start, load } } };
}
