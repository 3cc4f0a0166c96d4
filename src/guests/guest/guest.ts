import { isSameText } from "../../core/constant_time.ts";
import type { Registers } from "../../core/ports/guest_registers.ts";
import { type Errno, Fault } from "../../core/faults.ts";
import { INTERRUPT_LINES } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventSink } from "../../core/ports/events.ts";
import type {
  GuestEngine,
  GuestExit,
  GuestIdentity,
  GuestImage,
} from "../../core/ports/guest_engine.ts";
import { SystemError } from "../../core/system_error.ts";
import { Channels } from "./channels.ts";
import type { Console } from "../linux/console.ts";
import type { LinuxMachine } from "../linux/linux_machine.ts";
import type { MachineImage } from "../linux/machine_image.ts";
import { registersToWrite, registerToRead } from "./registers.ts";
import { Watchdog } from "./watchdog.ts";

/** `ready` can run, `running` does, `paused` may be snapshotted, `dead` is so for good. */
type GuestState = "ready" | "running" | "paused" | "dead";

/** `bare` speaks the guest ABI; `linux` is an unmodified kernel on a PC. */
export type GuestKind = "bare" | "linux";

/** Why a guest is dead, and the errno that lguest's launcher would read. */
export interface GuestDeath {
  readonly reason: string;
  readonly errno: Errno;
}

/** All of a paused guest. */
interface Captured {
  readonly image: GuestImage;
  /** Of a Linux guest. */
  readonly machine: MachineImage | undefined;
}

/** What a guest is made with. */
interface GuestParts {
  readonly id: string;
  readonly kind: GuestKind;
  readonly scope: string;
  readonly memoryBytes: number;
  readonly identity: GuestIdentity;
  /** When it was made, nanoseconds since 1970. */
  readonly createdNs: bigint;
  /** `undefined` when nobody owns it any more, as after a restart of the daemon. */
  readonly ownerToken: string | undefined;
  /** Why it is dead from the start. */
  readonly death?: GuestDeath | undefined;
  readonly engine: GuestEngine;
  /** What its devices lead to, for a Linux guest that lives in this process. */
  readonly machine?: LinuxMachine | undefined;
  readonly clock: Clock;
  readonly events: EventSink;
}

/**
 * One guest: who may do what to it, and when (seed 003, read() and write()). Owner first, then
 * death, then state: the order in which the seed checks.
 *
 * A run that a caller waits for tells its caller how it ended; one in the background tells the
 * events.
 */
export class Guest {
  readonly id: string;
  readonly kind: GuestKind;
  readonly scope: string;
  readonly memoryBytes: number;
  readonly createdNs: bigint;
  readonly machine: LinuxMachine | undefined;
  readonly channels: Channels;
  readonly #engine: GuestEngine;
  readonly #runs: Watchdog;
  readonly #events: EventSink;
  readonly #onEnd: (() => void)[] = [];
  readonly #onRemoved: (() => void)[] = [];
  #ownerToken: string | undefined;
  #identity: GuestIdentity;
  #state: GuestState = "ready";
  #hasRun = false;
  /** The run in progress; it never rejects. */
  #run: Promise<unknown> | undefined;
  /** What the run in progress is to end in. */
  #stopIn: "ready" | "paused" | undefined;
  #exit: GuestExit | undefined;
  #notifies = 0;
  /** Snapshots that are being taken of it. */
  #captures = 0;
  #death: GuestDeath | undefined;

  constructor(parts: GuestParts) {
    this.id = parts.id;
    this.kind = parts.kind;
    this.machine = parts.machine;
    this.machine?.identify(parts.identity);
    this.scope = parts.scope;
    this.memoryBytes = parts.memoryBytes;
    this.createdNs = parts.createdNs;
    this.#identity = parts.identity;
    this.#ownerToken = parts.ownerToken;
    this.#engine = parts.engine;
    this.#events = parts.events;
    this.#death = parts.death;
    if (parts.death !== undefined) this.#state = "dead";
    const { engine, clock } = parts;
    this.#runs = new Watchdog({ engine, clock, onSilent: (why) => this.#engineFailed(why) });
    this.channels = new Channels({
      id: this.id,
      clock,
      requireAlive: () => this.#requireBare(),
      attach: (address) => this.#ask(this.#engine.attach(address)),
      detach: (address) => this.#ask(this.#engine.detach(address)),
      emit: (what, address) => this.#emit(what, { address }),
    });
    this.#engine.onNotified((rings) => this.channels.add(rings));
  }

  get state(): GuestState {
    return this.#state;
  }

  /** What its data page shows of its scope. */
  get identity(): GuestIdentity {
    return this.#identity;
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

  /** @throws {Fault} `wrong-guest-kind` for a bare guest; `guest-dead` when nothing is kept */
  get console(): Console {
    if (this.machine !== undefined) return this.machine.console;
    if (this.kind === "linux") this.requireAlive();
    throw this.#wrongKind("it is bare and has no console");
  }

  /** Whether this is its owner's token. */
  isOwner(token: string | undefined): boolean {
    return token !== undefined && this.#ownerToken !== undefined &&
      isSameText(token, this.#ownerToken);
  }

  /** Gives it another owner; the token before is worth nothing from now on. */
  setOwner(token: string): void {
    this.#ownerToken = token;
    this.#emit("owner-changed", {});
  }

  /** @throws {Fault} `not-owner`; never when there is nothing left to own */
  requireOwner(token: string | undefined): void {
    if (this.#ownerToken === undefined || this.isOwner(token)) return;
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

  #requireBare(): void {
    this.requireAlive();
    if (this.kind === "linux") throw this.#wrongKind("it is Linux and knows no guest ABI");
  }

  #wrongKind(why: string): Fault {
    return new Fault("wrong-guest-kind", `Cannot do this to guest "${this.id}": ${why}`);
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
    const interrupt = (): void => this.#runs.interrupt();
    signal?.addEventListener("abort", interrupt, { once: true });
    try {
      const run = this.#begin(() => this.#runs.run(budgetMs), false);
      if (signal?.aborted) interrupt();
      return await run;
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }

  /**
   * Runs it in the background until something other than the end of a budget happens, which is
   * then an event. One that runs already goes on as it does.
   *
   * @throws {Fault} `guest-dead`
   */
  async start(): Promise<void> {
    this.requireAlive();
    while (this.#state === "running") {
      if (this.#stopIn === undefined) return;
      await this.#run;
      this.requireAlive();
    }
    const goesOn = (): boolean => this.#stopIn === undefined;
    this.#begin(() => this.#runs.runOn(goesOn), true).then((exit) => {
      if (this.#death !== undefined) return;
      if (exit.reason === "notify") this.#emit("notify", { address: exit.value });
      else this.#emit("exited", { ...exit, state: this.#state });
    }, () => {});
  }

  #begin(enter: () => Promise<GuestExit>, background: boolean): Promise<GuestExit> {
    this.#requireStill();
    this.#state = "running";
    this.#exit = undefined;
    this.#stopIn = undefined;
    const run = this.#ask(enter()).then((exit) => this.#settle(exit));
    this.#run = run.catch(() => {});
    // Of runs that their callers wait for there can be thousands a second.
    if (background || !this.#hasRun) this.#emit("started", { background });
    this.#hasRun = true;
    return run;
  }

  #settle(exit: GuestExit): GuestExit {
    this.requireAlive();
    this.#run = undefined;
    this.#exit = exit;
    if (exit.reason === "notify") this.#notifies++;
    if (exit.reason === "dead") this.die({ reason: exit.deathReason, errno: "ENOENT" });
    else if (exit.reason === "reboot") this.die({ reason: "reboot", errno: "ERESTART" });
    else {
      this.#state = this.#stopIn ?? "ready";
      if (this.#state === "paused") this.#emit("paused", {});
    }
    return exit;
  }

  /**
   * Pauses it, interrupting a run in progress. A paused guest stays so.
   *
   * @throws {Fault} `guest-dead`, also when it died in the run that was interrupted
   */
  async pause(): Promise<void> {
    await this.#stop("paused");
  }

  /**
   * Makes it ready to run, interrupting a run in progress. A ready guest stays so.
   *
   * @throws {Fault} `guest-dead`, also when it died in the run that was interrupted
   */
  async unpause(): Promise<void> {
    await this.#stop("ready");
  }

  async #stop(state: "ready" | "paused"): Promise<void> {
    this.requireAlive();
    if (this.#state === "running") {
      this.#stopIn = state;
      this.#runs.interrupt();
      await this.#run;
      this.requireAlive();
    } else if (this.#state !== state) {
      this.#requireStill();
      this.#state = state;
      this.#emit(state === "paused" ? "paused" : "unpaused", {});
    }
  }

  /** Shows it another generation of its scope, from its next instruction on. */
  identify(identity: GuestIdentity): void {
    if (this.#death !== undefined) return;
    this.#identity = identity;
    this.machine?.identify(identity);
    this.#ask(this.#engine.identify(identity)).catch(() => {});
  }

  /**
   * Makes an interrupt line pending (seed 003, user_send_irq()). No ownership is asked for:
   * devices raise interrupts.
   *
   * @throws {Fault} `guest-dead`, `wrong-guest-kind`, `line-out-of-range`
   */
  interrupt(line: number): void {
    this.#requireBare();
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
    this.#requireStill();
    const changes = registersToWrite(values);
    await this.#ask(this.#engine.setRegisters(changes));
    this.#emit("changed", { registers: Object.keys(changes) });
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
    this.#requireStill();
    await this.#ask(this.#engine.write(Number(at), bytes));
    this.#emit("changed", { memory: { at, length: bytes.length } });
  }

  /** @throws {Fault} `guest-dead`, `wrong-state` unless it is paused */
  async capture(): Promise<Captured> {
    this.#requireState("paused");
    this.#captures++;
    try {
      const image = await this.#ask(this.#engine.capture());
      return { image, machine: await this.machine?.capture() };
    } finally {
      this.#captures--;
    }
  }

  /** Memory and disks are captured one after the other: what changes between would tear them. */
  #requireStill(): void {
    if (this.#captures === 0) return;
    throw new Fault(
      "wrong-state",
      `Cannot do this to guest "${this.id}": it is being snapshotted; try again when it is done`,
      { members: { state: this.#state } },
    );
  }

  /** Calls back when it ends, dead or deleted. */
  onEnd(action: () => void): void {
    this.#onEnd.push(action);
  }

  /** Calls back when it is taken away, dead or not. */
  onRemoved(action: () => void): void {
    this.#onRemoved.push(action);
  }

  /** Ends it for good and frees its engine. Only the first reason is kept. */
  die(death: GuestDeath): void {
    if (this.#death !== undefined) return;
    this.#end(death);
    this.#emit("dead", { errno: death.errno }, death.reason);
  }

  /** Ends it because it is taken away; nobody is told that it died. */
  dismiss(): void {
    if (this.#death === undefined) this.#end({ reason: "deleted", errno: "ENOENT" });
    for (const action of this.#onRemoved.splice(0)) action();
  }

  #end(death: GuestDeath): void {
    this.#death = death;
    this.#state = "dead";
    this.#engine.close();
    this.channels.close();
    this.machine?.close();
    for (const action of this.#onEnd.splice(0)) action();
  }

  #emit(what: string, data: Record<string, unknown>, reason?: string): void {
    this.#events.emit({
      kind: `guest.${what}`,
      subject: this.id,
      ...(reason === undefined ? {} : { reason }),
      data,
    });
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
