import { ANSWERS_PER_TURN, CHANGES_PER_TURN } from "../core/limits.ts";

/** Something that has frames to send. */
export interface Sender {
  /** Sends all it has. */
  flush(): void;
}

/** How soon frames are to be sent: a changed generation, an answer, or news that nobody waits for. */
export type Urgency = "change" | "answer" | "news";

const ORDER: readonly Urgency[] = ["change", "answer", "news"];

/** How many senders have a turn together, those of greater urgency included. */
const PORTION: Readonly<Record<Urgency, number>> = {
  change: CHANGES_PER_TURN,
  answer: ANSWERS_PER_TURN,
  news: ANSWERS_PER_TURN,
};

/**
 * Who sends next, over all sockets of the daemon. A bump has thousands of sockets to tell: they
 * are told in small portions, so that confirmations are taken in between, and before the answers
 * to those confirmations are sent.
 */
export class SendTurns {
  readonly #waiting: Record<Urgency, Set<Sender>> = {
    change: new Set(),
    answer: new Set(),
    news: new Set(),
  };
  readonly #soon: (turn: () => void) => void;
  #isScheduled = false;

  /** @param soon Calls back after the input that is there now has been taken */
  constructor(soon: (turn: () => void) => void) {
    this.#soon = soon;
  }

  /** Gives a sender its turn. One that waits already moves up if this is more urgent. */
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
