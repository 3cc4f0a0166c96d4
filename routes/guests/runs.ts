import {
  ExitView,
  GuestParam,
  GuestView,
  InterruptBody,
  RunBody,
  SnapshotView,
  StateBody,
  VcpuQuery,
} from "../../src/wire/guests.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { onGuest } from "../http/rights.ts";
import { endsWait } from "../http/wait.ts";
import {
  endpoint,
  exitView,
  guestForOwnerOrAdmin,
  guestView,
  OWNED_FAULTS,
  ownedGuest,
  ownerTokenOf,
  snapshotView,
} from "./views.ts";

const runGuest = endpoint({
  method: "post",
  path: "/v1/guests/{g}/runs",
  operationId: "runGuest",
  summary: "Run a guest until something interesting happens",
  description:
    "Answers when the guest has notified its owner, its time is up, it was interrupted, or it is " +
    "dead. Only one run is on at a time.",
  needs: onGuest("guest"),

  request: {
    params: GuestParam,
    query: VcpuQuery,
    body: jsonBody(RunBody),
  },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(ExitView, "Why it ended. A client that goes away interrupts the run") },
  faults: [...OWNED_FAULTS, "already-running", "vcpu-out-of-range"],
}).handle(async (c, { guests, stopping }) => {
  const guest = ownedGuest(guests, c);
  const { budgetMs } = c.req.valid("json");
  const signal = endsWait(c, stopping);
  return c.json(exitView(await guest.run(budgetMs, signal)), 200);
});

const setState = endpoint({
  method: "put",
  path: "/v1/guests/{g}/state",
  operationId: "setGuestState",
  summary: "Run a guest in the background, pause it or make it ready, ending its run",
  description:
    "`running` runs it until it is told otherwise, `paused` is what a snapshot needs, and " +
    "`ready` is what a run needs.",
  needs: onGuest("guest"),
  request: { params: GuestParam, body: jsonBody(StateBody) },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(GuestView, "The guest, now or already so") },
  faults: ["guest-not-found", "not-owner", "guest-dead"],
}).handle(async (c, { guests }) => {
  const guest = ownedGuest(guests, c);
  const { state } = c.req.valid("json");
  if (state === "running") await guest.start();
  else if (state === "paused") await guest.pause();
  else await guest.unpause();
  return c.json(guestView(guest, c.get("principal")), 200);
});

const raiseInterrupt = endpoint({
  method: "post",
  path: "/v1/guests/{g}/interrupts",
  operationId: "raiseInterrupt",
  summary: "Raise an interrupt line; the owner's token is not needed",
  description:
    "The guest is interrupted once it runs and has the line enabled. Raised twice before that, " +
    "it is interrupted once.",
  needs: onGuest("irq"),
  request: { params: GuestParam, query: VcpuQuery, body: jsonBody(InterruptBody) },
  headers: ["Innkeeper-Owner"],
  responses: { 202: { description: "The line is pending" } },
  faults: [
    "guest-not-found",
    "not-owner",
    "guest-dead",
    "wrong-guest-kind",
    "line-out-of-range",
    "vcpu-out-of-range",
  ],
}).handle((c, { guests }) => {
  guestForOwnerOrAdmin(guests, c).interrupt(c.req.valid("json").line);
  return c.body(null, 202);
});

const snapshotGuest = endpoint({
  method: "post",
  path: "/v1/guests/{g}/snapshots",
  operationId: "snapshotGuest",
  summary: "Snapshot a paused guest",
  description:
    "Writes memory, processor and devices of a paused guest to a file, from which any number of " +
    "guests can be cloned.",
  needs: onGuest("guest"),
  request: { params: GuestParam },
  headers: ["Innkeeper-Owner"],
  responses: { 201: json(SnapshotView, "The snapshot, on stable storage") },
  faults: [...OWNED_FAULTS, "snapshots-exhausted"],
}).handle(async (c, { innkeeper }) => {
  const { g } = c.req.valid("param");
  return c.json(snapshotView(await innkeeper.snapshotGuest(g, ownerTokenOf(c))), 201);
});

/** Running, pausing, interrupting and snapshotting a guest. */
export const runEndpoints = [runGuest, setState, raiseInterrupt, snapshotGuest];
