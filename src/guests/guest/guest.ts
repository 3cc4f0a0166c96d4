import { Fault } from "../../core/faults.ts";
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
import type { Console } from "../linux/console.ts";
import type { LinuxMachine } from "../linux/linux_machine.ts";
import type { MachineImage } from "../linux/machine_image.ts";
import { Channels } from "./channels.ts";
import { GuestMemory } from "./memory.ts";
import { Owner } from "./owner.ts";
import { GuestRegisters } from "./registers.ts";
import type { GuestDeath, GuestKind, GuestState } from "./state.ts";
import { Watchdog } from "./watchdog.ts";

/** Events whose data or reason come from the program that runs in the guest. */
const INSIDE_EVENTS: ReadonlySet<string> = new Set(["notify", "exited", "dead"]);

/** All of a paused guest. */
interface Captured {
  readonly image: GuestImage;
  /** Of a Linux guest. */
  readonly machine: MachineImage | undefined;
}

/** What is left of an engine that ended with an earlier daemon. Its guest is dead. */
interface LostEngine {
  readonly name: string;
  readonly death: GuestDeath;
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
  readonly engine: GuestEngine | LostEngine;
  /** What the devices of a Linux guest lead to. */
  readonly machine?: LinuxMachine | undefined;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** What a guest has until it ends. */
interface Life {
  readonly engine: GuestEngine;
  readonly runs: Watchdog;
}

/**
 * One guest: who may do what to it, and when. A request is refused because of the owner first,
 * then because the guest is dead, then because of its state: the order in which lguest checks
 * (docs/guests.md#lguest).
 *
 * ```text
 *              run, start                     pause
 *   ready ──────────────────▶ running ─────────────────────▶ paused
 *    ▲ ▲ ◀─── exit, unpause ──┘    (its run ends first)       │  ▲
 *    │ └─────────────────────── unpause ──────────────────────┘  │
 *    └────────────────────────── pause ──────────────────────────┘
 *
 *   any of them ── shutdown, crash, engine failed, deleted ──▶ dead
 *   an earlier daemon's guest ── host_restart ──▶ dead, and it never had an engine here
 * ```
 *
 * A run that a caller waits for reports to its caller how it ended; one in the background reports
 * it as an event.
 */
export class Guest {
  readonly id: string;
  readonly kind: GuestKind;
  readonly scope: string;
  /** Name of the engine that it runs on, or ran on. */
  readonly engine: string;
  readonly createdNs: bigint;
  readonly machine: LinuxMachine | undefined;
  readonly owner: Owner;
  readonly channels: Channels;
  readonly memory: GuestMemory;
  readonly registers: GuestRegisters;
  readonly #events: EventSink;
  readonly #onEnd: (() => void)[] = [];
  readonly #onRemoved: (() => void)[] = [];
  #life: Life | { readonly death: GuestDeath };
  #identity: GuestIdentity;
  /** Its state while it lives. */
  #state: Exclude<GuestState, "dead"> = "ready";
  #hasRun = false;
  /** Settles when the run in progress has ended. It never rejects. */
  #run: Promise<unknown> | undefined;
  /** The state in which the run in progress is to end. */
  #stopIn: "ready" | "paused" | undefined;
  #exit: GuestExit | undefined;
  #notifies = 0;
  /** How many snapshots are being taken of it. */
  #captures = 0;

  constructor(parts: GuestParts) {
    const { id, engine, clock, events } = parts;
    this.id = id;
    this.kind = parts.kind;
    this.scope = parts.scope;
    this.engine = engine.name;
    this.createdNs = parts.createdNs;
    this.machine = parts.machine;
    this.owner = new Owner(id, parts.ownerToken);
    this.#events = events;
    this.#identity = parts.identity;
    this.machine?.identify(parts.identity);
    const stopped = {
      requireStopped: () => this.#requireState("ready", "paused"),
      requireChangeable: () => {
        this.#requireState("ready", "paused");
        this.#requireStill();
      },
      request: <Answer>(call: (engine: GuestEngine) => Promise<Answer>) => this.#request(call),
      changed: (what: Readonly<Record<string, unknown>>) => this.#emit("changed", what),
    };
    this.memory = new GuestMemory(stopped, parts.memoryBytes);
    this.registers = new GuestRegisters(stopped);
    this.channels = new Channels({
      id,
      clock,
      requireAlive: () => void this.#bareEngine(),
      attach: (address) => this.#request((engine) => engine.attach(address)),
      detach: (address) => this.#request((engine) => engine.detach(address)),
      emit: (what, address) => this.#emit(what, { address }),
    });
    if ("death" in engine) this.#life = engine;
    else {
      const runs = new Watchdog(engine, clock, (why) => this.#engineFailed(why));
      this.#life = { engine, runs };
      engine.onNotified((rings) => this.channels.add(rings));
    }
  }

  get state(): GuestState {
    return this.death === undefined ? this.#state : "dead";
  }

  get death(): GuestDeath | undefined {
    return "death" in this.#life ? this.#life.death : undefined;
  }

  /** What it is shown of its scope. */
  get identity(): GuestIdentity {
    return this.#identity;
  }

  /** How the last run ended, `undefined` while one is in progress and before the first. */
  get exit(): GuestExit | undefined {
    return this.#exit;
  }

  /** How many runs a notify has ended. */
  get notifies(): number {
    return this.#notifies;
  }

  /** @throws {Fault} `wrong-guest-kind` for a bare guest; `guest-dead` when nothing is left */
  get console(): Console {
    if (this.machine !== undefined) return this.machine.console;
    if (this.kind === "linux") this.requireAlive();
    throw this.#wrongKind("it is bare and has no console");
  }

  /** @throws {Fault} `guest-dead`, with the first reason, every time */
  requireAlive(): void {
    this.#alive();
  }

  #alive(): Life {
    const life = this.#life;
    if (!("death" in life)) return life;
    const { reason, errno } = life.death;
    throw new Fault("guest-dead", `Cannot use guest "${this.id}": it is dead: ${reason}`, {
      errno,
      members: { deathReason: reason },
    });
  }

  /** @throws {Fault} `guest-dead`, `wrong-guest-kind` */
  #bareEngine(): GuestEngine {
    const { engine } = this.#alive();
    if (this.kind === "linux") throw this.#wrongKind("it is Linux and knows no guest ABI");
    return engine;
  }

  #wrongKind(why: string): Fault {
    return new Fault("wrong-guest-kind", `Cannot do this to guest "${this.id}": ${why}`);
  }

  #requireState(...allowed: GuestState[]): Life {
    const life = this.#alive();
    if (allowed.includes(this.#state)) return life;
    throw new Fault(
      "wrong-state",
      `Cannot do this to guest "${this.id}": it is ${this.#state} and must be ` +
        allowed.join(" or "),
      { members: { state: this.#state, allowed } },
    );
  }

  /** Memory and disks are captured one after the other, so nothing may change in between. */
  #requireStill(): void {
    if (this.#captures === 0) return;
    throw new Fault(
      "wrong-state",
      `Cannot do this to guest "${this.id}": it is being snapshotted; try again when it is done`,
      { members: { state: this.#state } },
    );
  }

  /**
   * Runs it until something interesting happens.
   *
   * @param budgetMs How long it may take
   * @param signal Interrupts the run like a signal; the next one goes on at the same place
   * @throws {Fault} `guest-dead`, `already-running`, `wrong-state` when paused
   */
  async run(budgetMs: number, signal?: AbortSignal): Promise<GuestExit> {
    if (this.state === "running") {
      throw new Fault("already-running", `Cannot run guest "${this.id}": it runs already`);
    }
    const { runs } = this.#requireState("ready");
    const interrupt = (): void => runs.interrupt();
    signal?.addEventListener("abort", interrupt, { once: true });
    try {
      const run = this.#begin(() => runs.run(budgetMs), false);
      if (signal?.aborted) interrupt();
      return await run;
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }

  /**
   * Runs it in the background until something other than the end of a budget happens, and reports
   * that as an event. A guest that runs already is left as it is.
   *
   * @throws {Fault} `guest-dead`
   */
  async start(): Promise<void> {
    while (this.state === "running") {
      if (this.#stopIn === undefined) return;
      await this.#run;
    }
    const { runs } = this.#alive();
    const goesOn = (): boolean => this.#stopIn === undefined;
    this.#begin(() => runs.runOn(goesOn), true).then((exit) => {
      if (this.death !== undefined) return;
      if (exit.reason === "notify") this.#emit("notify", { address: exit.value });
      else this.#emit("exited", { ...exit, state: this.#state });
    }, () => {});
  }

  #begin(enter: () => Promise<GuestExit>, background: boolean): Promise<GuestExit> {
    this.#requireStill();
    this.#state = "running";
    this.#exit = undefined;
    this.#stopIn = undefined;
    const run = this.#request(enter).then((exit) => this.#settle(exit));
    this.#run = run.catch(() => {});
    // Runs that callers wait for can come by the thousand a second, so only the first is an event.
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
   * Pauses it and interrupts a run in progress. Pausing twice is the same as pausing once.
   *
   * @throws {Fault} `guest-dead`, also when it died in the run that was interrupted
   */
  async pause(): Promise<void> {
    await this.#stop("paused");
  }

  /**
   * Makes it ready to run and interrupts a run in progress. A ready guest stays ready.
   *
   * @throws {Fault} `guest-dead`, also when it died in the run that was interrupted
   */
  async unpause(): Promise<void> {
    await this.#stop("ready");
  }

  async #stop(state: "ready" | "paused"): Promise<void> {
    const { runs } = this.#alive();
    if (this.#state === "running") {
      this.#stopIn = state;
      runs.interrupt();
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
    if (this.death !== undefined) return;
    this.#identity = identity;
    this.machine?.identify(identity);
    this.#request((engine) => engine.identify(identity)).catch(() => {});
  }

  /**
   * Makes an interrupt line pending. Whoever raises it has shown the owner's token before
   * (docs/guests.md#lguest).
   *
   * @throws {Fault} `guest-dead`, `wrong-guest-kind`, `line-out-of-range`
   */
  interrupt(line: number): void {
    const engine = this.#bareEngine();
    if (!Number.isInteger(line) || line < 0 || line >= INTERRUPT_LINES) {
      throw new Fault(
        "line-out-of-range",
        `Cannot raise interrupt line ${line}: there are lines 0 to ${INTERRUPT_LINES - 1}`,
      );
    }
    engine.raise(line);
  }

  /** @throws {Fault} `guest-dead`, `wrong-state` unless it is paused */
  async capture(): Promise<Captured> {
    this.#requireState("paused");
    this.#captures++;
    try {
      const image = await this.#request((engine) => engine.capture());
      return { image, machine: await this.machine?.capture() };
    } finally {
      this.#captures--;
    }
  }

  /** Calls back when it ends, dead or deleted. */
  onEnd(action: () => void): void {
    this.#onEnd.push(action);
  }

  /** Calls back when it is taken away, dead or not. */
  onRemoved(action: () => void): void {
    this.#onRemoved.push(action);
  }

  /** Ends it for good and frees its engine. A dead guest keeps its first reason. */
  die(death: GuestDeath): void {
    if (this.#end(death)) this.#emit("dead", { errno: death.errno }, death.reason);
  }

  /** Ends it because it is taken away. That is not reported as a death. */
  dismiss(): void {
    this.#end({ reason: "deleted", errno: "ENOENT" });
    for (const action of this.#onRemoved.splice(0)) action();
  }

  /** @returns Whether it was alive */
  #end(death: GuestDeath): boolean {
    if ("death" in this.#life) return false;
    const { engine } = this.#life;
    this.#life = { death };
    engine.close();
    this.channels.close();
    this.machine?.close();
    for (const action of this.#onEnd.splice(0)) action();
    return true;
  }

  #emit(what: string, data: Record<string, unknown>, reason?: string): void {
    this.#events.emit({
      kind: `guest.${what}`,
      subject: this.id,
      ...(reason === undefined ? {} : { reason }),
      data,
    }, { about: { kind: "guests", name: this.id }, isInside: INSIDE_EVENTS.has(what) });
  }

  #engineFailed(why: string): void {
    this.die({ reason: `engine failed: ${why}`, errno: "ENODEV" });
  }

  async #request<Answer>(call: (engine: GuestEngine) => Promise<Answer>): Promise<Answer> {
    const { engine } = this.#alive();
    try {
      return await call(engine);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#engineFailed(error.message);
      this.requireAlive();
      throw error;
    }
  }
}
