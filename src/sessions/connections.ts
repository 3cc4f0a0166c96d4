import { Fault } from "../core/faults.ts";
import { CONNECTIONS_MAX, HEARTBEAT_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Principal } from "../access/tokens.ts";

/** Why the daemon ends a WebSocket. 4000 to 4999 are for applications (RFC 6455 §7.4.2). */
export const CLOSE = {
  restart: 1012,
  badFrame: 4400,
  tokenRemoved: 4401,
  scopeDeleted: 4404,
  silent: 4408,
  takenOver: 4409,
  guestEnded: 4410,
  frameTooBig: 4413,
  tooSlow: 4429,
} as const;

/** One open WebSocket. */
export interface Connection {
  readonly principal: Principal;
  /** Asks the client for a sign of life. */
  ping(): void;
  /** Ends it, and says why to the client. */
  close(code: number, reason: string): void;
  /** Resolves when the socket is gone. A client that does not read can delay that. */
  readonly closed: Promise<void>;
}

/** All open WebSockets. Their number is bounded, and those that fall silent are ended. */
export class Connections {
  readonly #clock: Clock;
  readonly #heardMs = new Map<Connection, number>();
  #cancelSweep: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#heardMs.size;
  }

  /** @throws {Fault} `watchers-exhausted` when no more connection fits */
  requireRoom(): void {
    if (this.count < CONNECTIONS_MAX) return;
    throw new Fault(
      "watchers-exhausted",
      `Cannot open another WebSocket: ${this.count} are open; close some`,
    );
  }

  add(connection: Connection): void {
    this.#heardMs.set(connection, this.#clock.monotonicMs());
    this.#cancelSweep ??= this.#clock.after(HEARTBEAT_MS, () => this.#sweep());
  }

  /** The client of this connection has given a sign of life. */
  heard(connection: Connection): void {
    if (this.#heardMs.has(connection)) {
      this.#heardMs.set(connection, this.#clock.monotonicMs());
    }
  }

  delete(connection: Connection): void {
    this.#heardMs.delete(connection);
    if (this.count === 0) {
      this.#cancelSweep?.();
      this.#cancelSweep = undefined;
    }
  }

  /**
   * Ends the connections that `which` picks; all of them when it is left out. It resolves when
   * their sockets are gone.
   */
  async close(
    code: number,
    reason: string,
    which: (one: Connection) => boolean = () => true,
  ): Promise<void> {
    const chosen = [...this.#heardMs.keys()].filter(which);
    for (const connection of chosen) connection.close(code, reason);
    await Promise.all(chosen.map(({ closed }) => closed));
  }

  #sweep(): void {
    const silentSinceMs = this.#clock.monotonicMs() - 2 * HEARTBEAT_MS;
    for (const [connection, heardMs] of [...this.#heardMs]) {
      if (heardMs <= silentSinceMs) connection.close(CLOSE.silent, "no sign of life");
      else connection.ping();
    }
    this.#cancelSweep = this.count === 0
      ? undefined
      : this.#clock.after(HEARTBEAT_MS, () => this.#sweep());
  }
}
