import type { MiddlewareHandler } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { Guest } from "../../src/guests/guest/guest.ts";
import type { Guests } from "../../src/guests/guests.ts";
import {
  CreatedGuestView,
  CreateGuestBody,
  GuestList,
  GuestParam,
  GuestsQuery,
  GuestView,
  OwnerView,
} from "../../src/wire/guests.ts";
import { Routes } from "../http/endpoint.ts";
import type { Env } from "../http/env.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { type FurtherNeed, onGuest } from "../http/rights.ts";
import { pageOf } from "../http/pagination.ts";
import { channelEndpoints } from "./channels.ts";
import { memoryEndpoints } from "./memory.ts";
import { registerEndpoints } from "./registers.ts";
import { runEndpoints } from "./runs.ts";
import { snapshotEndpoints } from "./snapshots.ts";
import {
  askerOf,
  endpoint,
  type GuestMaker,
  guestView,
  OWNER_HEADER,
  ownerTokenOf,
} from "./views.ts";

/** Faults of opening what a guest is made of: its files, disks and share. */
const OPENING_FAULTS = [
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

/** What making a guest needs beside the right to use it. */
const CREATE_RIGHTS: readonly FurtherNeed[] = [
  {
    permission: "read",
    on: [{ kind: "roots", in: "body" }, { kind: "remotes", in: "body" }],
    when: "of the inodes, the share and the snapshot's disks that it names",
  },
  { permission: "guest", on: { kind: "guests", in: "what it is of" }, when: "of a snapshot" },
  { permission: "write", on: { kind: "scopes", in: "body" }, when: "its scope is made" },
  {
    permission: "bump",
    on: { kind: "scopes", in: "body" },
    when: "a clone in a scope that is there",
  },
  {
    permission: "watch",
    on: { kind: "scopes", in: "body" },
    when: "Linux in a scope that is there",
  },
  { permission: "read", on: { kind: "scopes", in: "body" }, when: "bare in a scope that is there" },
];

const createGuest = endpoint({
  method: "post",
  path: "/v1/guests",
  operationId: "createGuest",
  summary: "Make a guest from a program, a Linux kernel or a snapshot",
  description:
    "Takes exactly one of `bare`, `linux` and `snapshot`. A clone of a snapshot bumps its scope " +
    "before its first instruction. Keep the owner's token: it is needed to run, change and " +
    "delete the guest.",
  needs: { permission: "guest", on: { kind: "guests", in: "body" } },
  also: CREATE_RIGHTS,
  request: { body: jsonBody(CreateGuestBody) },
  headers: ["Innkeeper-Owner"],
  responses: {
    201: json(CreatedGuestView, "The guest, and its owner's token, which is shown only here"),
  },
  faults: [
    "already-initialized",
    "guests-exhausted",
    "memory-exhausted",
    "address-out-of-range",
    "engine-unavailable",
    "inode-not-found",
    ...OPENING_FAULTS,
    "snapshot-not-found",
    "snapshot-damaged",
    "snapshot-version",
    "not-owner",
    "bump-not-permitted",
  ],
}).handle(async (c, { innkeeper, guests }) => {
  const body = c.req.valid("json");
  const principal = c.get("principal");
  // Through a guest its maker can read what the guest reads, or what its snapshot remembers.
  const isBlank = body.bare?.load.every((piece) => !("inode" in piece)) === true;
  if (!isBlank) principal.requireOnSome("read");
  const name = body.name ?? guests.newId();
  principal.require("guest", { kind: "guests", name });
  const command = { ...body, name };
  const { guest, ownerToken } = await innkeeper.createGuest(command, principal.name, askerOf(c));
  return c.json({ ...guestView(guest, principal), ownerToken }, 201);
});

const listGuests = endpoint({
  method: "get",
  path: "/v1/guests",
  operationId: "listGuests",
  summary: "List guests",
  description: "Lists guests by id, in pages.",
  needs: { permission: "read", on: { kind: "guests", in: "each item" } },
  request: { query: GuestsQuery },
  responses: { 200: json(GuestList, "A page of guests, by id") },
  faults: [],
}).handle((c, { guests }) => {
  const principal = c.get("principal");
  const list = guests.list().filter(({ id: name }) =>
    principal.may("read", { kind: "guests", name })
  );
  const view = (guest: Guest) => guestView(guest, principal);
  return c.json(pageOf(list, ({ id }) => id, view, c.req.valid("query"), c.get("seq")), 200);
});

const showGuest = endpoint({
  method: "get",
  path: "/v1/guests/{g}",
  operationId: "showGuest",
  summary: "Show a guest",
  description: "Shows what a guest does, how its last run ended, and why it is dead if it is.",
  needs: onGuest("read"),

  request: { params: GuestParam },
  responses: { 200: json(GuestView, "The guest") },
  faults: ["guest-not-found"],
}).handle((c, { guests }) =>
  c.json(guestView(guests.get(c.req.valid("param").g), c.get("principal")), 200)
);

const deleteGuest = endpoint({
  method: "delete",
  path: "/v1/guests/{g}",
  operationId: "deleteGuest",
  summary: "Delete a guest; an admin needs no owner's token",
  description:
    "Ends the guest and frees its memory. Its snapshots stay. To delete a guest that does not " +
    "exist is no error.",
  needs: onGuest("guest"),
  request: { params: GuestParam },
  headers: ["Innkeeper-Owner"],
  responses: { 204: { description: "There is no such guest any more" } },
  faults: ["not-owner"],
}).handle(async (c, { guests }) => {
  const ownerToken = ownerTokenOf(c);
  const force = c.get("principal").may("admin");
  await guests.delete(c.req.valid("param").g, { ownerToken, force });
  return c.body(null, 204);
});

const changeOwner = endpoint({
  method: "post",
  path: "/v1/guests/{g}/owner",
  operationId: "changeGuestOwner",
  summary: "Give a guest another owner; the token before is worth nothing then",
  description:
    "For a guest whose owner's token got lost or is to be taken away. The new token is shown " +
    "only in this answer.",
  needs: "admin",
  request: { params: GuestParam },
  responses: { 201: json(OwnerView, "The new owner's token, which is shown only here") },
  faults: ["guest-not-found", "guest-dead"],
}).handle(async (c, { guests }) =>
  c.json({ ownerToken: await guests.changeOwner(c.req.valid("param").g) }, 201)
);

/** Renews the owner's lease by any request of the owner. It does not end while the request runs. */
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

/**
 * `/v1/guests` and `/v1/snapshots`: the launcher's interface over HTTP (docs/guests.md#sources).
 *
 * @param stopping Ends runs and waits when the daemon stops
 */
export function guestRoutes(innkeeper: GuestMaker, stopping: AbortSignal): Routes {
  const { guests } = innkeeper;
  const routes = new Routes();
  routes.use("/v1/guests/:g/*", holdsLease(guests));
  return routes.add([
    ...[createGuest, listGuests, showGuest, deleteGuest, changeOwner],
    ...runEndpoints,
    ...channelEndpoints,
    ...registerEndpoints,
    ...memoryEndpoints,
    ...snapshotEndpoints,
  ], { innkeeper, guests, stopping });
}
