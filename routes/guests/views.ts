import { z } from "@hono/zod-openapi";
import type { FaultCode } from "../../src/core/faults.ts";
import type { GuestExit } from "../../src/core/ports/guest_engine.ts";
import { rfc3339 } from "../../src/core/time.ts";
import type { Guest } from "../../src/guests/guest/guest.ts";
import type { ExitView, GuestView } from "../../src/wire/guests.ts";
import { Name } from "../../src/wire/scalars.ts";

/** `{g}`: the id of a guest. */
export const GuestParam = z.object({ g: Name });

/** The header in which a guest's owner sends the token of its creation. */
export const OWNER_HEADER = "innkeeper-owner";
/** The owner's token, as routes describe it. */
export const OwnerHeaders = z.object({ [OWNER_HEADER]: z.string().optional() });

/** Faults of every request that only the owner may make of a living guest. */
export const OWNED = [
  "guest-not-found",
  "not-owner",
  "guest-dead",
  "wrong-state",
] as const satisfies readonly FaultCode[];

/** A guest as it is shown. */
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
    ...(exit === undefined ? {} : { exit: exitView(exit) }),
    notifies: guest.notifies,
    ...(death === undefined ? {} : { deathReason: death.reason, deathErrno: death.errno }),
  };
}

/** How a run ended, as it is shown. */
export function exitView(exit: GuestExit): z.input<typeof ExitView> {
  return exit.reason === "notify" ? { ...exit, value: String(exit.value) } : exit;
}
