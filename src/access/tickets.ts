import { Fault } from "../core/faults.ts";
import { TICKET_MS, TICKETS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Random } from "../core/ports/random.ts";
import { Shares } from "../core/shares.ts";
import { type Principal, takerOf } from "./tokens.ts";

const TICKET_BYTES = 24;

/** The kinds of WebSockets: what a ticket can be for. */
export const SOCKETS = ["watch", "console"] as const;

/** A kind of WebSockets. */
export type SocketKind = typeof SOCKETS[number];

/** What a ticket is for. */
interface Opening {
  readonly socket: SocketKind;
  /** The token of a guest's owner, which the page cannot send with the WebSocket either. */
  readonly ownerToken?: string | undefined;
}

interface Ticket extends Opening {
  readonly principal: Principal;
  readonly origin: string | undefined;
  readonly expiresMs: number;
}

/**
 * Tickets by which a page in a browser opens a WebSocket, since it can set no header there. A
 * ticket is good once, for half a minute, for one kind of WebSocket, and only for a page of the same
 * origin. It holds the principal with the grants that it had when it was made.
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
  mint(
    principal: Principal,
    origin: string | undefined,
    opening: Opening = { socket: "watch" },
  ): string {
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
    this.#tickets.set(ticket, { ...opening, principal, origin, expiresMs });
    this.#shares.take(principal.name);
    return ticket;
  }

  /**
   * Spends a ticket, also one that does not fit the origin or the WebSocket.
   *
   * @throws {Fault} `ticket-unknown`
   */
  redeem(ticket: string, origin: string | undefined, socket: SocketKind = "watch"): Principal {
    try {
      return this.find(ticket, origin, socket);
    } finally {
      this.#drop(ticket);
    }
  }

  /**
   * Looks a ticket up without spending it.
   *
   * @param socket Of any kind when it is left out
   * @throws {Fault} `ticket-unknown`
   */
  find(ticket: string, origin: string | undefined, socket?: SocketKind): Principal {
    this.#dropExpired();
    const known = this.#tickets.get(ticket);
    const fits = known?.origin === origin && (socket === undefined || known?.socket === socket);
    if (known !== undefined && fits) return known.principal;
    throw new Fault(
      "ticket-unknown",
      "Cannot accept the ticket: it is used, expired, of another origin or for another kind of " +
        "WebSocket; get another by POST /v1/tickets",
    );
  }

  /** The owner's token that a ticket brings along. */
  ownerTokenOf(ticket: string): string | undefined {
    return this.#tickets.get(ticket)?.ownerToken;
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
