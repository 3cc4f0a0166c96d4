import type { GuestIdentity } from "../core/abi/data_page.ts";
import type { Registers } from "../core/abi/registers.ts";
import { type Errno, Fault } from "../core/faults.ts";
import { ENGINE_STOP_MS, INTERRUPT_LINES } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { GuestEngine, GuestExit, GuestImage } from "../core/ports/guest_engine.ts";
import { SystemError } from "../core/system_error.ts";
import { registersToWrite, registerToRead } from "./registers.ts";

/** `ready` can run, `running` does, `paused` may be snapshotted, `dead` is so for good. */
export type GuestState = "ready" | "running" | "paused" | "dead";

/** Why a guest is dead, and the errno that lguest's launcher would read. */
export interface GuestDeath {
  readonly reason: string;
  readonly errno: Errno;
}

/** What a guest is made with. */
export interface GuestParts {
  readonly id: string;
  readonly scope: string;
  readonly memoryBytes: number;
  readonly identity: GuestIdentity;
  readonly ownerToken: string;
  readonly engine: GuestEngine;
  readonly clock: Clock;
}

/**
 * One guest: who may do what to it, and when (seed 003, read() and write()). Owner first, then
 * death, then state: the order in which the seed checks.
 */
export class Guest {
  readonly id: string;
  readonly scope: string;
  readonly memoryBytes: number;
  readonly identity: GuestIdentity;
  readonly createdNs: bigint;
  readonly #ownerToken: string;
  readonly #engine: GuestEngine;
  readonly #clock: Clock;
  #state: GuestState = "ready";
  #run: Promise<GuestExit> | undefined;
  #pauseAfterRun = false;
  #exit: GuestExit | undefined;
  #notifies = 0;
  #death: GuestDeath | undefined;

  constructor(parts: GuestParts) {
    this.id = parts.id;
    this.scope = parts.scope;
    this.memoryBytes = parts.memoryBytes;
    this.identity = parts.identity;
    this.#ownerToken = parts.ownerToken;
    this.#engine = parts.engine;
    this.#clock = parts.clock;
    this.createdNs = parts.clock.wallNs();
  }

  get state(): GuestState {
    return this.#state;
  }

  get engine(): string {
    return this.#engine.name;
  }

  /** How the last run ended, `undefined` while one is in progress and before the first. */
  get exit(): GuestExit | undefined {
    return this.#exit;
  }

  /** How many runs a notify has ended. */
  get notifies(): number {
    return this.#notifies;
  }

  get death(): GuestDeath | undefined {
    return this.#death;
  }

  /** @throws {Fault} `not-owner` */
  requireOwner(token: string | undefined): void {
    if (token !== undefined && sameText(token, this.#ownerToken)) return;
    throw new Fault(
      "not-owner",
      `Cannot do this to guest "${this.id}": send the token of its creation as Innkeeper-Owner`,
    );
  }

  /** @throws {Fault} `guest-dead`, with the first reason, every time */
  requireAlive(): void {
    if (this.#death === undefined) return;
    const { reason, errno } = this.#death;
    throw new Fault("guest-dead", `Cannot use guest "${this.id}": it is dead: ${reason}`, {
      errno,
      members: { deathReason: reason },
    });
  }

  #requireState(...allowed: GuestState[]): void {
    this.requireAlive();
    if (allowed.includes(this.#state)) return;
    throw new Fault(
      "wrong-state",
      `Cannot do this to guest "${this.id}": it is ${this.#state} and must be ` +
        allowed.join(" or "),
      { members: { state: this.#state, allowed } },
    );
  }

  /**
   * Runs it until something interesting happens (seed 003, read()).
   *
   * @param budgetMs How long it may take
   * @param signal Interrupts the run like a signal; the next one goes on at the same place
   * @throws {Fault} `guest-dead`, `already-running`, `wrong-state` when paused
   */
  async run(budgetMs: number, signal?: AbortSignal): Promise<GuestExit> {
    this.requireAlive();
    if (this.#state === "running") {
      throw new Fault("already-running", `Cannot run guest "${this.id}": it runs already`);
    }
    this.#requireState("ready");
    this.#state = "running";
    this.#exit = undefined;
    this.#pauseAfterRun = false;
    const interrupt = (): void => this.#engine.interrupt();
    const cancelWatch = this.#clock.after(
      budgetMs + ENGINE_STOP_MS,
      () => this.#engineFailed("the engine does not answer"),
    );
    signal?.addEventListener("abort", interrupt, { once: true });
    try {
      this.#run = this.#ask(this.#engine.run(budgetMs)).then((exit) => this.#settle(exit));
      if (signal?.aborted) interrupt();
      return await this.#run;
    } finally {
      cancelWatch();
      signal?.removeEventListener("abort", interrupt);
      this.#run = undefined;
    }
  }

  #settle(exit: GuestExit): GuestExit {
    this.requireAlive();
    this.#exit = exit;
    if (exit.reason === "notify") this.#notifies++;
    if (exit.reason === "dead") this.die({ reason: exit.deathReason, errno: "ENOENT" });
    else if (exit.reason === "reboot") this.die({ reason: "reboot", errno: "ERESTART" });
    else this.#state = this.#pauseAfterRun ? "paused" : "ready";
    return exit;
  }

  /**
   * Pauses it, interrupting a run in progress. A paused guest stays so.
   *
   * @throws {Fault} `guest-dead`, also when it died in the run that was interrupted
   */
  async pause(): Promise<void> {
    this.requireAlive();
    if (this.#state === "ready") this.#state = "paused";
    if (this.#state !== "running") return;
    this.#pauseAfterRun = true;
    this.#engine.interrupt();
    await this.#run?.catch(() => {});
    this.requireAlive();
  }

  /**
   * Makes a paused guest ready to run again. One that is not paused stays as it is.
   *
   * @throws {Fault} `guest-dead`
   */
  unpause(): void {
    this.requireAlive();
    this.#pauseAfterRun = false;
    if (this.#state === "paused") this.#state = "ready";
  }

  /**
   * Makes an interrupt line pending (seed 003, user_send_irq()). No ownership is asked for:
   * devices raise interrupts.
   *
   * @throws {Fault} `guest-dead`, `line-out-of-range`
   */
  interrupt(line: number): void {
    this.requireAlive();
    if (!Number.isInteger(line) || line < 0 || line >= INTERRUPT_LINES) {
      throw new Fault(
        "line-out-of-range",
        `Cannot raise interrupt line ${line}: there are lines 0 to ${INTERRUPT_LINES - 1}`,
      );
    }
    this.#engine.raise(line);
  }

  /** @throws {Fault} `guest-dead`, `wrong-state` while it runs */
  async registers(): Promise<Registers> {
    this.#requireState("ready", "paused");
    return await this.#ask(this.#engine.registers());
  }

  /** @throws {Fault} `guest-dead`, `wrong-state` while it runs, `register-unknown` */
  async register(name: string): Promise<bigint> {
    this.#requireState("ready", "paused");
    const known = registerToRead(name);
    return (await this.registers())[known];
  }

  /**
   * Sets registers, all or none.
   *
   * @throws {Fault} `guest-dead`, `wrong-state`, and what {@linkcode registersToWrite} throws
   */
  async setRegisters(values: ReadonlyMap<string, bigint>): Promise<void> {
    this.#requireState("ready", "paused");
    await this.#ask(this.#engine.setRegisters(registersToWrite(values)));
  }

  /**
   * That these bytes can be read or written now.
   *
   * @throws {Fault} `guest-dead`, `wrong-state`, `address-out-of-range`
   */
  requireMemory(at: bigint, length: bigint): void {
    this.#requireState("ready", "paused");
    requireWithin(at, length, this.memoryBytes);
  }

  /** @throws {Fault} `guest-dead`, `wrong-state`, `address-out-of-range` */
  async read(at: bigint, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.requireMemory(at, BigInt(length));
    return await this.#ask(this.#engine.read(Number(at), length));
  }

  /** @throws {Fault} `guest-dead`, `wrong-state`, `address-out-of-range` */
  async write(at: bigint, bytes: Uint8Array): Promise<void> {
    this.requireMemory(at, BigInt(bytes.length));
    await this.#ask(this.#engine.write(Number(at), bytes));
  }

  /** @throws {Fault} `guest-dead`, `wrong-state` unless it is paused */
  async capture(): Promise<GuestImage> {
    this.#requireState("paused");
    return await this.#ask(this.#engine.capture());
  }

  /** Ends it for good and frees its engine. Only the first reason is kept. */
  die(death: GuestDeath): void {
    if (this.#death !== undefined) return;
    this.#death = death;
    this.#state = "dead";
    this.#engine.close();
  }

  #engineFailed(why: string): void {
    this.die({ reason: `engine failed: ${why}`, errno: "ENODEV" });
  }

  async #ask<Answer>(call: Promise<Answer>): Promise<Answer> {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#engineFailed(error.message);
      this.requireAlive();
      throw error;
    }
  }
}

/**
 * @throws {Fault} `address-out-of-range` when not all of these bytes are in memory (lguest's
 * lguest_address_ok())
 */
export function requireWithin(at: bigint, length: bigint, memoryBytes: number): void {
  if (at >= 0n && at + length <= BigInt(memoryBytes)) return;
  throw new Fault(
    "address-out-of-range",
    `Cannot reach ${length} bytes at ${at}: the guest has ${memoryBytes} bytes of memory`,
  );
}

function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % b.length);
  return difference === 0;
}
