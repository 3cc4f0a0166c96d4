import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { GuestExit } from "../../src/core/ports/guest_engine.ts";
import type { Caller } from "../../src/core/rights.ts";
import { rfc3339 } from "../../src/wire/time.ts";
import type { Innkeeper } from "../../src/daemon/innkeeper.ts";
import type { Guest } from "../../src/guests/guest/guest.ts";
import type { Guests } from "../../src/guests/guests.ts";
import type { SnapshotCaller, SnapshotSummary } from "../../src/guests/snapshots/snapshots.ts";
import type { ExitView, GuestView, SnapshotView } from "../../src/wire/guests.ts";
import { endpointsOf } from "../http/endpoint.ts";
import type { Env } from "../http/env.ts";

/** The part of the daemon that makes guests, snapshots them and has them. */
export type GuestMaker = Pick<Innkeeper, "guests" | "createGuest" | "snapshotGuest">;

/** Declares an endpoint of guests. `stopping` ends runs and waits when the daemon stops. */
export const endpoint = endpointsOf<{
  readonly innkeeper: GuestMaker;
  readonly guests: Guests;
  readonly stopping: AbortSignal;
}>("guests");

/** The header in which a guest's owner sends the token that it got at the guest's creation. */
export const OWNER_HEADER = "innkeeper-owner";

/** Faults of every request that only the owner may make of a living guest. */
export const OWNED_FAULTS = [
  "guest-not-found",
  "not-owner",
  "guest-dead",
  "wrong-state",
] as const satisfies readonly FaultCode[];

/** The owner's token of a request. */
export function ownerTokenOf(c: Context<Env>): string | undefined {
  return c.req.header(OWNER_HEADER) ?? c.get("ownerToken");
}

/** Who makes a request, with its owner's token. */
export function askerOf(c: Context<Env>): SnapshotCaller {
  return { caller: c.get("principal"), ownerToken: ownerTokenOf(c) };
}

/**
 * The guest of a request that only its owner may make.
 *
 * @throws {Fault} `guest-not-found`, `not-owner`
 */
export function ownedGuest(guests: Guests, c: Context<Env>): Guest {
  return guests.owned(c.req.param("g") ?? "", ownerTokenOf(c));
}

/**
 * The guest of a request that its owner may make, and admins.
 *
 * @throws {Fault} `guest-not-found`, `not-owner`
 */
export function guestForOwnerOrAdmin(guests: Guests, c: Context<Env>): Guest {
  const isAdmin = c.get("principal").may("admin");
  return guests.owned(c.req.param("g") ?? "", ownerTokenOf(c), isAdmin);
}

/**
 * A guest as the API shows it to a caller. What the program inside has said is for those alone who
 * may use the guest.
 */
export function guestView(guest: Guest, caller: Caller): z.input<typeof GuestView> {
  const { death, exit } = guest;
  const isInside = caller.may("guest", { kind: "guests", name: guest.id });
  return {
    id: guest.id,
    kind: guest.kind,
    state: guest.state,
    engine: guest.engine,
    scope: guest.scope,
    generation: guest.identity.generation,
    memoryBytes: String(guest.memory.sizeBytes),
    createdAt: rfc3339(guest.createdNs),
    exit: exit && (isInside ? exitView(exit) : { reason: exit.reason }),
    notifies: guest.notifies,
    deathReason: isInside ? death?.reason : undefined,
    deathErrno: death?.errno,
  };
}

/** How a run ended, as the API shows it. */
export function exitView(exit: GuestExit): z.input<typeof ExitView> {
  return exit.reason === "notify" ? { ...exit, value: String(exit.value) } : exit;
}

/** A snapshot as the API shows it. */
export function snapshotView(snapshot: SnapshotSummary): z.input<typeof SnapshotView> {
  if ("fault" in snapshot) return snapshot;
  const { sizeBytes, memoryBytes, createdNs, machine, ...rest } = snapshot;
  return {
    ...rest,
    kind: machine === undefined ? "bare" : "linux",
    sizeBytes: String(sizeBytes),
    memoryBytes: String(memoryBytes),
    createdAt: rfc3339(createdNs),
  };
}
