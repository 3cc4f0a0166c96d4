import { ANSWERS_PER_TURN, CHANGES_PER_TURN } from "../core/limits.ts";

/** Something that has frames to send, such as the outbox of a socket. */
export interface Sender {
  /** Sends everything it has. */
  flush(): void;
}

/**
 * How soon frames are to be sent. A change of a generation goes first, then answers, and last news
 * that nobody waits for.
 */
export type Urgency = "change" | "answer" | "news";

/** How many senders share a turn, counting the more urgent ones of that turn; in their order. */
const PORTION: Readonly<Record<Urgency, number>> = {
  change: CHANGES_PER_TURN,
  answer: ANSWERS_PER_TURN,
  news: ANSWERS_PER_TURN,
};
const ORDER = Object.keys(PORTION) as Urgency[];

/**
 * Decides which socket of the daemon sends next. A bump notifies thousands of sockets. It does so
 * in small portions, so that confirmations are read in between, and all are notified before the
 * answers to those confirmations are sent.
 */
export class SendTurns {
  readonly #waiting: Record<Urgency, Set<Sender>> = {
    change: new Set(),
    answer: new Set(),
    news: new Set(),
  };
  readonly #soon: (turn: () => void) => void;
  #isScheduled = false;

  /** @param soon Calls back after the input that is there now was read */
  constructor(soon: (turn: () => void) => void) {
    this.#soon = soon;
  }

  /** Gives a sender a turn. If it already waits for one, it moves up to the more urgent of both. */
  add(sender: Sender, urgency: Urgency): void {
    for (const other of ORDER) {
      if (!this.#waiting[other].has(sender)) continue;
      if (ORDER.indexOf(other) <= ORDER.indexOf(urgency)) return;
      this.#waiting[other].delete(sender);
    }
    this.#waiting[urgency].add(sender);
    this.#schedule();
  }

  /** Takes a sender's turn away. */
  delete(sender: Sender): void {
    for (const urgency of ORDER) this.#waiting[urgency].delete(sender);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#soon(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    const portion: Sender[] = [];
    for (const urgency of ORDER) {
      for (const sender of this.#waiting[urgency]) {
        if (portion.length >= PORTION[urgency]) break;
        portion.push(sender);
        this.#waiting[urgency].delete(sender);
      }
    }
    for (const sender of portion) sender.flush();
    if (ORDER.some((urgency) => this.#waiting[urgency].size > 0)) this.#schedule();
  }
}
