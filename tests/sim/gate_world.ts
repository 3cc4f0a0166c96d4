/**
 * A life of one scope among programs that crash between any two steps, restart under their name,
 * are cloned with spent and unspent tokens, quiesce, and are stopped by signals, while the daemon
 * is suspended and killed. {@linkcode GateOracle} knows what is really so. Every choice comes from
 * one seed.
 *
 * @module
 */
import type { Fault } from "../../src/core/faults.ts";
import type { EventFact } from "../../src/core/ports/events.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { DEFAULT_OPTIONS, type ScopeOptions } from "../../src/generations/scope_options.ts";
import { Scopes } from "../../src/generations/scopes.ts";
import { type WatchRequest, WatchSession } from "../../src/sessions/watch.ts";
import { FakeClock } from "../support/clock.ts";
import { CrashingLedger, CrashPoint } from "../support/crash_point.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { MemoryPages } from "../support/page_folder.ts";
import { FakeProcesses } from "../support/processes.ts";
import { SeededRandom } from "../support/random.ts";
import { GateOracle } from "./gate_oracle.ts";
import { type Memory, Program } from "./program.ts";
import { Broken } from "./world.ts";

const SCOPE = "sim";
/** What programs are called. */
export const NAMES = ["app", "db", "job-1", "job-2"];
const LIVING_MAX = 6;
/** How long a watcher of these worlds is held, in milliseconds. */
export const LEASE_MS = 5_000;

type Message = Readonly<Record<string, unknown>>;
type Body<Request> = Request extends { id: unknown } ? Omit<Request, "id" | "scope"> : never;
type Frame = Body<WatchRequest>;

/** How a world is configured, and what an operator did in it. */
interface Counts {
  bumps: number;
  opened: number;
  restarts: number;
  clones: number;
  superseded: number;
  releases: number;
  quiesced: number;
}

/** The simulation. */
export class GateWorld {
  readonly random: SeededRandom;
  readonly clock = new FakeClock();
  readonly processes = new FakeProcesses();
  readonly oracle = new GateOracle();
  readonly counts: Counts = {
    ...{ bumps: 0, opened: 0, restarts: 0, clones: 0, superseded: 0, releases: 0, quiesced: 0 },
  };
  scope!: LiveScope;
  readonly options: ScopeOptions;
  readonly #pages = new MemoryPages();
  readonly #ledger = new MemoryLedger();
  #point = new CrashPoint();
  #life = 0;
  #nextId = 1;
  #epoch = 0n;
  #scopes!: Scopes;
  #broken: Broken | undefined;
  readonly #answered = new Map<number, (answer: Message | Fault) => void>();
  /** What programs that run under a name store on disk. */
  readonly files = new Map<string, Partial<Memory>>();
  /** Messages that are to be sent and not read yet, by program and topic. */
  readonly #slots = new Map<Program, Map<string, [Message, (() => void) | undefined]>>();

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.#pages.onStore = () => this.#point.step();
    const chance = (one: number): boolean => this.random.below(one) === 0;
    this.options = {
      ...DEFAULT_OPTIONS,
      onLost: chance(2) ? "open" : "block",
      onDisconnect: chance(6) ? "forget" : "hold",
      requireQuiesce: chance(4),
      expect: chance(2) ? this.random.pick([["app"], ["job-*"], ["db", "app"]]) : [],
      atLeast: chance(3) ? 1 : 0,
    };
    const forgets = this.options.onLost === "open" && chance(2);
    if (forgets) this.options = { ...this.options, forgetLostMs: 20_000 };
  }

  get programs(): readonly Program[] {
    return this.oracle.everybody;
  }

  get living(): Program[] {
    return this.programs.filter(({ isAlive }) => isAlive);
  }

  /** Ends the daemon where it stands, at its n-th step from now. */
  killDaemonIn(steps: number): void {
    this.#point.left = steps;
  }

  /** @throws {Broken} when a promise was broken since the last look */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Starts the daemon, or starts it anew when it has died. */
  async start(): Promise<void> {
    // Timers of the previous life still fire, but a dead process must not write.
    this.#point.left = 0;
    this.#point = new CrashPoint();
    this.#life++;
    for (const program of this.programs) this.cut(program);
    this.#scopes = await Scopes.open({
      ledger: new CrashingLedger(this.#ledger, this.#point),
      pages: this.#pages,
      clock: this.clock,
      random: this.random,
      processes: this.processes,
      events: { emit: (fact) => this.#hear(fact, this.#point) },
    });
    if (!this.#scopes.has(SCOPE)) await this.#scopes.put(SCOPE, this.options);
    this.scope = this.#scopes.get(SCOPE);
    this.#noteEpoch();
    this.oracle.restarted(this.scope.state);
    await this.settle();
  }

  /** Starts the daemon anew if it was killed meanwhile. */
  async restartIfDead(): Promise<void> {
    if (this.#point.left >= 0) return;
    this.counts.restarts++;
    await this.start();
  }

  /** Lets everything run that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 24; turn++) await Promise.resolve();
  }

  /** A program begins, under its name or as what a snapshot held. */
  begin(name: string, onHost: boolean, memory: Partial<Memory>, adapted: bigint): Program {
    const identity = onHost ? this.processes.start() : undefined;
    const program = new Program(this.programs.length, name, identity);
    program.memory = { ...program.memory, ...memory };
    program.adapted = adapted;
    this.oracle.everybody.push(program);
    return program;
  }

  get hasRoom(): boolean {
    return this.living.length < LIVING_MAX;
  }

  /** kill -9 of a program, or its end. */
  kill(program: Program): void {
    program.isAlive = false;
    if (program.identity !== undefined) this.processes.kill(program.identity);
  }

  /** The connection of a program is gone on its own side. */
  cut(program: Program): WatchSession | undefined {
    const { session } = program;
    program.session = undefined;
    this.#slots.delete(program);
    return session;
  }

  /** The daemon notices that a connection has ended. */
  async endSession(program: Program, session: WatchSession): Promise<void> {
    for (const { id, tracked } of this.scope.state.watchers) {
      if (this.oracle.holder(id) !== program) continue;
      if (!tracked || this.options.onDisconnect === "forget") this.oracle.mayGo(id);
    }
    await session.end();
  }

  connect(program: Program): WatchSession {
    const life = this.#life;
    const point = this.#point;
    const isAlive = (): boolean => life === this.#life && point.left >= 0;
    const slots = new Map<string, [Message, (() => void) | undefined]>();
    this.#slots.set(program, slots);
    const answer = (id: unknown, what: Message | Fault): void => {
      this.#answered.get(id as number)?.(what);
    };
    const session = new WatchSession(this.#scopes, {
      reply: (message) => {
        if (isAlive()) this.#said(program, message as Message);
        answer((message as Message)["id"], message as Message);
      },
      refuse: (id, fault) => answer(id, fault),
      offer: (topic, message, _urgency, onSent) =>
        isAlive() && slots.set(topic, [message as Message, onSent]),
      withdraw: (topic) => slots.delete(topic),
      takenOver: () => void this.endSession(program, session),
    });
    program.session = session;
    return session;
  }

  /** Sends a frame and waits for its answer, so that a seed always gives the same life. */
  async request(session: WatchSession, frame: Frame): Promise<Message | Fault> {
    const id = this.#nextId++;
    const answered = new Promise<Message | Fault>((resolve) => this.#answered.set(id, resolve));
    session.receive({ ...frame, id, scope: SCOPE } as WatchRequest);
    const answer = await answered;
    this.#answered.delete(id);
    return answer;
  }

  /** A program reads the next message that was sent to it. */
  read(program: Program): Message | undefined {
    const slots = this.#slots.get(program);
    const [first] = slots ?? [];
    if (slots === undefined || first === undefined) return undefined;
    const [topic, [message, onSent]] = first;
    slots.delete(topic);
    onSent?.();
    return message;
  }

  /** Asks at the barrier, and has the oracle judge it when it opens. */
  async barrier(waitMs: number): Promise<void> {
    const point = this.#point;
    const { scope } = this;
    const passed = scope.barrier({}, { waitMs }).then((open) => {
      // A dead process answers nobody.
      if (point.left < 0 || point !== this.#point) return;
      this.counts.opened++;
      this.attempt(() => this.oracle.opened(open, scope.state));
    }, () => {});
    if (waitMs === 0) await passed;
  }

  /** Notes the first promise that is broken. */
  attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.#broken ??= error;
    }
  }

  #hear({ kind, subject, data = {} }: EventFact, point: CrashPoint): void {
    if (subject !== SCOPE || point !== this.#point) return;
    const [, what = ""] = kind.split(".");
    const watcher = String(data["watcher"]);
    if (kind === "scope.bumped") this.#bumped(data["epoch"] as bigint);
    if (what === "superseded") this.counts.superseded++;
    if (["released", "dead", "forgotten"].includes(what)) {
      this.attempt(() => this.oracle.gone(watcher, what, this.#epoch));
    }
  }

  #bumped(epoch: bigint): void {
    this.counts.bumps++;
    this.#epoch = epoch;
    this.oracle.bumped();
  }

  #noteEpoch(): void {
    if (this.scope.state.epoch !== this.#epoch) this.#bumped(this.scope.state.epoch);
  }

  /** The daemon has said something, whether it is ever read or not. From then on it must stand by it. */
  #said(program: Program, message: Message): void {
    const { state } = this.scope;
    if (message["type"] === "watching") {
      const said = {
        outdated: message["outdated"] === true,
        hadToken: program.memory.token !== undefined,
      };
      this.attempt(() => this.oracle.watching(program, String(message["watcher"]), said, state));
    }
    if (message["type"] === "acked") this.oracle.acked(program, state.epoch);
  }
}
