import { Fault } from "../core/faults.ts";
import { TICKET_MS, TICKETS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Random } from "../core/ports/random.ts";
import { Shares } from "../core/shares.ts";
import { type Principal, takerOf } from "./tokens.ts";

const TICKET_BYTES = 24;

interface Ticket {
  readonly principal: Principal;
  readonly origin: string | undefined;
  readonly expiresMs: number;
}

/**
 * Tickets by which a page in a browser opens a WebSocket, since it can set no header there. A
 * ticket is good once, for half a minute, and only for a page of the same origin.
 */
export class Tickets {
  readonly #clock: Clock;
  readonly #random: Random;
  /** Those that expire first come first. */
  readonly #tickets = new Map<string, Ticket>();
  readonly #shares = new Shares(TICKETS_MAX);

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a ticket.
   *
   * @param origin The origin of the page, as its `Origin` header says
   * @throws {Fault} `tickets-exhausted`
   */
  mint(principal: Principal, origin: string | undefined): string {
    this.#dropExpired();
    const why = this.#shares.refusal(takerOf(principal));
    if (why !== undefined) {
      throw new Fault(
        "tickets-exhausted",
        `Cannot make a ticket: ${why}; use those, or try again when some have expired`,
      );
    }
    const ticket = this.#random.bytes(TICKET_BYTES).toBase64({ alphabet: "base64url" });
    const expiresMs = this.#clock.monotonicMs() + TICKET_MS;
    this.#tickets.set(ticket, { principal, origin, expiresMs });
    this.#shares.take(principal.name);
    return ticket;
  }

  /**
   * Spends a ticket, also one that does not fit the origin.
   *
   * @throws {Fault} `ticket-unknown`
   */
  redeem(ticket: string, origin: string | undefined): Principal {
    try {
      return this.find(ticket, origin);
    } finally {
      this.#drop(ticket);
    }
  }

  /**
   * Looks a ticket up without spending it.
   *
   * @throws {Fault} `ticket-unknown`
   */
  find(ticket: string, origin: string | undefined): Principal {
    this.#dropExpired();
    const known = this.#tickets.get(ticket);
    if (known !== undefined && known.origin === origin) return known.principal;
    throw new Fault(
      "ticket-unknown",
      "Cannot accept the ticket: it is used, expired or of another origin; get another by " +
        "POST /v1/tickets",
    );
  }

  #dropExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [ticket, { expiresMs }] of this.#tickets) {
      if (expiresMs > nowMs) return;
      this.#drop(ticket);
    }
  }

  #drop(ticket: string): void {
    const known = this.#tickets.get(ticket);
    if (known === undefined) return;
    this.#tickets.delete(ticket);
    this.#shares.give(known.principal.name);
  }
}
