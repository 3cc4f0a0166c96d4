import type { GuestEngine } from "../../core/ports/guest_engine.ts";

/** A guest as its memory and its registers see it: they can be used while it does not run. */
export interface StoppedGuest {
  /** @throws {Fault} `guest-dead`, `wrong-state` while it runs */
  requireStopped(): void;
  /** @throws {Fault} `guest-dead`, `wrong-state` while it runs or is being snapshotted */
  requireChangeable(): void;
  /**
   * Calls the engine. An engine that fails ends the guest.
   *
   * @throws {Fault} `guest-dead`
   */
  request<Answer>(call: (engine: GuestEngine) => Promise<Answer>): Promise<Answer>;
  /** Reports what was changed from outside. */
  changed(what: Readonly<Record<string, unknown>>): void;
}
