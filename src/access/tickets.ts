import { Fault } from "../core/faults.ts";
import { TICKET_MS, TICKETS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Random } from "../core/ports/random.ts";
import type { Principal } from "./tokens.ts";

const TICKET_BYTES = 24;

interface Ticket {
  readonly principal: Principal;
  readonly origin: string | undefined;
  readonly expiresMs: number;
}

/**
 * Tickets that let a page of a browser open a WebSocket, for which it can set no header: good
 * once, for half a minute, and only for a page of the same origin.
 */
export class Tickets {
  readonly #clock: Clock;
  readonly #random: Random;
  /** In the order in which they run out. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a ticket.
   *
   * @param origin Of the page that asks, as its `Origin` header says
   * @throws {Fault} `tickets-exhausted`
   */
  mint(principal: Principal, origin: string | undefined): string {
    this.#dropExpired();
    if (this.#tickets.size >= TICKETS_MAX) {
      throw new Fault(
        "tickets-exhausted",
        `Cannot make a ticket: ${this.#tickets.size} wait to be used; they run out by themselves`,
      );
    }
    const ticket = this.#random.bytes(TICKET_BYTES).toBase64({ alphabet: "base64url" });
    const expiresMs = this.#clock.monotonicMs() + TICKET_MS;
    this.#tickets.set(ticket, { principal, origin, expiresMs });
    return ticket;
  }

  /**
   * Uses a ticket up; it is spent also when its origin does not fit.
   *
   * @throws {Fault} `ticket-unknown`
   */
  redeem(ticket: string, origin: string | undefined): Principal {
    this.#dropExpired();
    const known = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (known !== undefined && known.origin === origin) return known.principal;
    throw new Fault(
      "ticket-unknown",
      "Cannot accept the ticket: it is used, run out, or of another origin; POST /v1/tickets anew",
    );
  }

  #dropExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [ticket, { expiresMs }] of this.#tickets) {
      if (expiresMs > nowMs) return;
      this.#tickets.delete(ticket);
    }
  }
}
