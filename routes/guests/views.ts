import type { z } from "@hono/zod-openapi";
import type { HonoRequest } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { GuestExit } from "../../src/core/ports/guest_engine.ts";
import { rfc3339 } from "../../src/wire/time.ts";
import type { Innkeeper } from "../../src/daemon/innkeeper.ts";
import type { Guest } from "../../src/guests/guest/guest.ts";
import type { Guests } from "../../src/guests/guests.ts";
import type { SnapshotSummary } from "../../src/guests/snapshots/snapshots.ts";
import type { ExitView, GuestView, SnapshotView } from "../../src/wire/guests.ts";
import { endpointsOf } from "../http/endpoint.ts";

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

/**
 * The guest of a request that only its owner may make.
 *
 * @throws {Fault} `guest-not-found`, `not-owner`
 */
export function ownedGuest(guests: Guests, request: HonoRequest): Guest {
  return guests.owned(request.param("g") ?? "", request.header(OWNER_HEADER));
}

/** A guest as the API shows it. */
export function guestView(guest: Guest): z.input<typeof GuestView> {
  const { death, exit } = guest;
  return {
    id: guest.id,
    kind: guest.kind,
    state: guest.state,
    engine: guest.engine,
    scope: guest.scope,
    generation: guest.identity.generation,
    memoryBytes: String(guest.memory.sizeBytes),
    createdAt: rfc3339(guest.createdNs),
    exit: exit && exitView(exit),
    notifies: guest.notifies,
    deathReason: death?.reason,
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
