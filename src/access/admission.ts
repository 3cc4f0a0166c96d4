import type { Descriptors } from "../core/descriptors.ts";
import { Fault } from "../core/faults.ts";
import {
  ADMISSION_SWEEP_MS,
  CONNECTION_IDLE_MS,
  STRANGER_ANSWER_MS,
  STRANGER_WAIT_MS,
  STRANGERS_MAX,
  STRANGERS_MIN,
} from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

/**
 * Where a connection stands that may be ended: it has sent no whole request yet, a stranger was
 * answered or is being answered, or a known caller has nothing to ask.
 */
type Queue = "silent" | "answered" | "answering" | "idle";

/** In this order they go, when others need room. */
const QUEUES: readonly Queue[] = ["silent", "answered", "answering", "idle"];

/** How long a connection may stand in a queue, in milliseconds. */
const STAY_MS: Readonly<Record<Queue, number>> = {
  silent: STRANGER_WAIT_MS,
  answered: STRANGER_WAIT_MS,
  answering: STRANGER_ANSWER_MS,
  idle: CONNECTION_IDLE_MS,
};

/** The part of all connections that strangers may have, as a divisor. */
const STRANGERS_DIVISOR = 4;
/** The part of the connections of known callers that is for those who may do all, as a divisor. */
const ADMIN_DIVISOR = 8;
/** Turns of the loop after which it has read what came with a connection: it accepts, then reads. */
const NEW_TURNS = 2;
/** The part of the connections of known callers that one of the others may have. */
const ONE_CALLER = 3 / 4;

/**
 * Decides which connections stay (docs/bounds.md#connections). Whoever has not said who it is has
 * little room and little time. When a newcomer needs room, the one goes that has waited longest
 * without a request; a request of a known caller is never cut off for others.
 */
export class Admission {
  readonly #descriptors: Descriptors;
  readonly #clock: Clock;
  readonly #afterTurn: (done: () => void) => void;
  /** Each in the order in which its connections came into it. */
  readonly #queues: Readonly<Record<Queue, Set<Admitted>>> = {
    silent: new Set(),
    answered: new Set(),
    answering: new Set(),
    idle: new Set(),
  };
  /** How many connections speak for each known caller, by its name. */
  readonly #ofCallers = new Map<string, number>();
  #strangers = 0;
  #callers = 0;
  #cancelSweep: (() => void) | undefined;
  #turn = 0;
  #turning: Promise<void> | undefined;
  /** Wakes those who wait for room. */
  #waiting: (() => void)[] = [];

  /** @param afterTurn Calls back when the loop has read what has come by now */
  constructor(
    descriptors: Descriptors,
    clock: Clock,
    afterTurn: (done: () => void) => void = (done) => void clock.after(1, done),
  ) {
    this.#descriptors = descriptors;
    this.#clock = clock;
    this.#afterTurn = afterTurn;
  }

  /** How many connections of strangers there may be. */
  get strangersMax(): number {
    const share = Math.floor(this.#descriptors.share("connections") / STRANGERS_DIVISOR);
    return Math.min(STRANGERS_MAX, Math.max(STRANGERS_MIN, share));
  }

  /** How many connections of known callers there may be. */
  get callersMax(): number {
    return this.#descriptors.share("connections") - this.strangersMax;
  }

  /** Resolves when one more connection may be accepted. Another one is ended for that if need be. */
  async room(): Promise<void> {
    while (this.#descriptors.free("connections") < 1 || this.#strangers >= this.strangersMax) {
      const goes = this.#first(QUEUES);
      if (goes !== undefined && this.#isNew(goes)) {
        await this.#nextTurn();
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      goes?.end();
      await promise;
    }
  }

  /**
   * Counts a connection that was accepted.
   *
   * @param end Ends it at once; {@linkcode Admitted.closed} is called when it is closed
   */
  admit(end: () => void): Admitted {
    this.#descriptors.take("connections", 1);
    this.#strangers++;
    const admitted = new Admitted(this, end);
    this.enter(admitted, "silent");
    return admitted;
  }

  /** A connection that {@linkcode Admitted} says is in another queue from now on, or in none. */
  enter(admitted: Admitted, queue: Queue | undefined): void {
    if (admitted.queue !== undefined) this.#queues[admitted.queue].delete(admitted);
    admitted.queue = queue;
    if (queue === undefined) return;
    admitted.sinceMs = this.#clock.monotonicMs();
    admitted.sinceTurn = this.#turn;
    this.#queues[queue].add(admitted);
    this.#cancelSweep ??= this.#clock.after(ADMISSION_SWEEP_MS, () => this.#sweep());
  }

  /** @throws {Fault} `connections-exhausted` when the caller has no room for one more */
  identify(admitted: Admitted, caller: string, isAdmin: boolean): void {
    this.#requireRoom(caller, isAdmin);
    this.#leave(admitted);
    this.#callers++;
    this.#ofCallers.set(caller, (this.#ofCallers.get(caller) ?? 0) + 1);
  }

  /** A connection ends: its place is free for others, and its descriptor is when it is closed. */
  leave(admitted: Admitted): void {
    this.enter(admitted, undefined);
    this.#leave(admitted);
  }

  /** The connection is closed. */
  closed(): void {
    this.#descriptors.give("connections", 1);
    this.#wake();
  }

  #requireRoom(caller: string, isAdmin: boolean): void {
    const ofOthers = this.callersMax - Math.ceil(this.callersMax / ADMIN_DIVISOR);
    const [max, maxOfOne] = isAdmin
      ? [this.callersMax, this.callersMax]
      : [ofOthers, Math.floor(ofOthers * ONE_CALLER)];
    const ofOne = this.#ofCallers.get(caller) ?? 0;
    if (ofOne >= maxOfOne && !this.#endIdle(caller)) {
      throw this.#exhausted(`${ofOne} of ${caller} are open, and it may have ${maxOfOne}`);
    }
    if (this.#callers >= max && !this.#endIdle()) {
      throw this.#exhausted(`${this.#callers} are open, and ${caller} may make it ${max}`);
    }
  }

  #exhausted(why: string): Fault {
    return new Fault(
      "connections-exhausted",
      `Cannot let another connection in: ${why}; ${this.#descriptors.reason("connections")}`,
    );
  }

  #leave({ caller }: Admitted): void {
    if (caller === undefined) this.#strangers--;
    else {
      this.#callers--;
      const left = (this.#ofCallers.get(caller) ?? 1) - 1;
      if (left > 0) this.#ofCallers.set(caller, left);
      else this.#ofCallers.delete(caller);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The connection that would go first, of one caller or of anybody. */
  #first(queues: readonly Queue[], caller?: string): Admitted | undefined {
    for (const queue of queues) {
      for (const one of this.#queues[queue]) {
        if (caller === undefined || one.caller === caller) return one;
      }
    }
    return undefined;
  }

  #endIdle(caller?: string): boolean {
    const goes = this.#first(["idle"], caller);
    goes?.end();
    return goes !== undefined;
  }

  /** Whether the loop may not have read yet what a newcomer has sent with its connection. */
  #isNew({ queue, sinceTurn }: Admitted): boolean {
    return queue === "silent" && this.#turn - sinceTurn < NEW_TURNS;
  }

  /** Counts turns of the loop, while somebody waits for them. */
  async #nextTurn(): Promise<void> {
    this.#turning ??= new Promise((resolve) =>
      this.#afterTurn(() => {
        this.#turn++;
        this.#turning = undefined;
        resolve();
      })
    );
    await this.#turning;
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const queue of QUEUES) {
      for (const one of this.#queues[queue]) {
        if (nowMs - one.sinceMs < STAY_MS[queue]) break;
        one.end();
      }
    }
    this.#cancelSweep = QUEUES.every((queue) => this.#queues[queue].size === 0)
      ? undefined
      : this.#clock.after(ADMISSION_SWEEP_MS, () => this.#sweep());
  }
}

/** One connection that was accepted, until it is closed. */
export class Admitted {
  readonly #admission: Admission;
  readonly #end: () => void;
  #requests = 0;
  #hasLeft = false;
  /** The name of whom it speaks for; a stranger has none. */
  caller: string | undefined;
  queue: Queue | undefined;
  /** Since when it has been in its queue. */
  sinceMs = 0;
  sinceTurn = 0;

  constructor(admission: Admission, end: () => void) {
    this.#admission = admission;
    this.#end = end;
  }

  /** A request came. */
  began(): void {
    if (++this.#requests > 1 || this.#hasLeft) return;
    this.#admission.enter(this, this.caller === undefined ? "answering" : undefined);
  }

  /** A request was answered, or given up. */
  ended(): void {
    if (--this.#requests > 0 || this.#hasLeft) return;
    this.#admission.enter(this, this.caller === undefined ? "answered" : "idle");
  }

  /**
   * The caller of the request has said who it is.
   *
   * @throws {Fault} `connections-exhausted` when there are too many connections of its kind
   */
  identify(caller: string, isAdmin: boolean): void {
    if (this.caller === caller || this.#hasLeft) return;
    this.#admission.identify(this, caller, isAdmin);
    this.caller = caller;
    this.#admission.enter(this, undefined);
  }

  /** Ends it at once. */
  end(): void {
    if (this.#hasLeft) return;
    this.#leave();
    this.#end();
  }

  /** It is closed. */
  closed(): void {
    this.#leave();
    this.#admission.closed();
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#admission.leave(this);
  }
}
