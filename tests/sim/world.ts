/**
 * A whole life of one scope in one process: flaky clients, a daemon that is killed at any step,
 * a clock that only the simulator moves. Every choice comes from one seed.
 *
 * An oracle beside it keeps its own book, made only of what the daemon has said: who is tracked,
 * and what each has confirmed. It knows nothing of how the daemon counts.
 *
 * @module
 */
import { type WatchRequest, WatchSession } from "../../src/sessions/watch.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { Scopes } from "../../src/generations/scopes.ts";
import { FakeClock } from "../support/clock.ts";
import { CrashingLedger, CrashPoint, KILLED } from "../support/crash_point.ts";
import { CollectedEvents } from "../support/events.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { MemoryPages } from "../support/page_folder.ts";
import { SeededRandom } from "../support/random.ts";

const CLIENTS = 5;
const SCOPE = "sim";

/** The daemon broke a promise. */
export class Broken extends Error {}

type Message = Record<string, unknown>;

/** A program on the other end of a flaky connection. */
class Client {
  session: WatchSession | undefined;
  token: string | undefined;
  watcher: string | undefined;
  /** Frames on their way to it. */
  readonly inbox: Message[] = [];
  readonly slots = new Map<string, Message>();
  /** Acks that it has sent: request id to epoch. */
  readonly acking = new Map<number, bigint>();
  seenEpoch = -1n;
  todo: { generation: number; epoch: bigint } | undefined;

  constructor(readonly name: string) {}
}

/** What the daemon has said, and what follows from it. */
class Oracle {
  /** Tracked watchers, each with the epoch that it has confirmed last. */
  readonly confirmed = new Map<string, bigint>();

  watching(watcher: string, epoch: bigint, isOutdated: boolean): void {
    const before = this.confirmed.get(watcher) ?? -1n;
    this.confirmed.set(watcher, isOutdated || epoch < before ? before : epoch);
  }

  acked(watcher: string, epoch: bigint): void {
    if (epoch > (this.confirmed.get(watcher) ?? -1n)) this.confirmed.set(watcher, epoch);
  }

  released(watcher: string): void {
    this.confirmed.delete(watcher);
  }

  opened(epoch: bigint): void {
    for (const [watcher, confirmed] of this.confirmed) {
      if (confirmed >= epoch) continue;
      throw new Broken(`the barrier opened for epoch ${epoch}; ${watcher} confirmed ${confirmed}`);
    }
  }
}

/** The simulation. Run {@linkcode SimWorld.live} and see whether it throws. */
export class SimWorld {
  readonly #random: SeededRandom;
  readonly #clock = new FakeClock();
  readonly #pages = new MemoryPages();
  readonly #ledger = new MemoryLedger();
  /** Kills the process of this life. The next life has a point of its own. */
  #point = new CrashPoint();
  readonly #oracle = new Oracle();
  readonly #clients = Array.from({ length: CLIENTS }, (_, n) => new Client(`c${n}`));
  /** Every generation that was ever announced, with its unique. */
  readonly #used = new Map<string, string>();
  #scope!: LiveScope;
  #scopes!: Scopes;
  #life = 0;
  #nextId = 1;
  readonly #answered = new Map<number, () => void>();
  readonly counts = { bumps: 0, opened: 0, crashes: 0, acks: 0 };
  #broken: Broken | undefined;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#pages.onStore = () => this.#point.step();
  }

  /**
   * Runs this many steps.
   *
   * @throws {Broken} when the daemon breaks a promise
   */
  async live(steps: number): Promise<void> {
    await this.#start();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      if (this.#broken !== undefined) throw this.#broken;
    }
  }

  async #step(): Promise<void> {
    const client = this.#random.pick(this.#clients);
    switch (this.#random.below(16)) {
      case 0:
      case 1:
        return await this.#bump();
      case 2:
        return await this.#connect(client);
      case 3:
        return await this.#drop(client);
      case 4:
      case 5:
      case 6:
      case 7:
        return this.#deliver(client);
      case 8:
      case 9:
      case 10:
        return await this.#confirm(client);
      case 11:
      case 12:
        return await this.#barrier();
      case 13:
        return this.#clock.advance(this.#random.below(30_000));
      case 14:
        return this.#random.below(4) === 0 ? await this.#release(client) : undefined;
      case 15:
        return this.#random.below(3) === 0 ? await this.#crash() : undefined;
    }
  }

  async #start(): Promise<void> {
    // Timers of the previous life still fire, but a dead process must not write.
    this.#point.left = 0;
    this.#point = new CrashPoint();
    this.#life++;
    this.#scopes = await Scopes.open({
      ledger: new CrashingLedger(this.#ledger, this.#point),
      pages: this.#pages,
      clock: this.#clock,
      random: this.#random,
      events: new CollectedEvents(),
    });
    if (!this.#scopes.has(SCOPE)) await this.#scopes.put(SCOPE, DEFAULT_OPTIONS);
    this.#scope = this.#scopes.get(SCOPE);
  }

  async #bump(): Promise<void> {
    const minimum = this.#random.below(8) === 0 ? this.#random.below(50) : 0;
    if (this.#random.below(6) === 0) this.#point.left = this.#random.below(9);
    try {
      const { bump } = await this.#scope.bump({ minimum, reason: "sim", by: "sim" });
      this.counts.bumps++;
      this.#notTwice(bump.epoch, bump.unique);
      this.#point.left = Infinity;
    } catch (error) {
      if (!isKill(error)) throw error;
      await this.#restart();
    }
  }

  async #crash(): Promise<void> {
    this.#point.left = 0;
    await this.#restart();
  }

  /** The process is gone, with its connections and all that it had only in memory. */
  async #restart(): Promise<void> {
    this.counts.crashes++;
    for (const client of this.#clients) {
      client.session = undefined;
      client.inbox.length = 0;
      client.slots.clear();
      client.acking.clear();
    }
    await this.#start();
  }

  async #connect(client: Client): Promise<void> {
    if (client.session !== undefined) return;
    const life = this.#life;
    const isAlive = (): boolean => life === this.#life;
    const session = new WatchSession(this.#scopes, {
      reply: (message) => isAlive() && this.#sent(client, message as Message),
      refuse: (id) => this.#answered.get(id as number)?.(),
      offer: (topic, message) => isAlive() && this.#offered(client, topic, message as Message),
      withdraw: (topic) => client.slots.delete(topic),
      takenOver: () => void session.end(),
    });
    client.session = session;
    // Now and then it presents a token that is spent, as a clone of it would.
    const token = this.#random.below(10) === 0 ? undefined : client.token;
    await this.#request(session, {
      type: "watch",
      id: this.#nextId++,
      scope: SCOPE,
      name: client.name,
      track: true,
      progress: false,
      token,
    });
  }

  async #drop(client: Client): Promise<void> {
    const { session } = client;
    client.session = undefined;
    client.inbox.length = 0;
    client.slots.clear();
    if (session === undefined) return;
    // The daemon may notice a dead connection long after its client has come back.
    if (this.#random.below(2) === 0) await session.end();
    else this.#clock.after(this.#random.below(60_000), () => void session.end());
  }

  /** The daemon has sent a reply. From then on it must stand by it. */
  #sent(client: Client, message: Message): void {
    if (message["type"] === "watching") {
      const { watcher, epoch, outdated } = message;
      this.#oracle.watching(String(watcher), epoch as bigint, outdated === true);
      client.watcher = String(watcher);
    }
    if (message["type"] === "acked") {
      const epoch = client.acking.get(message["id"] as number);
      if (epoch !== undefined && client.watcher) this.#oracle.acked(client.watcher, epoch);
    }
    client.inbox.push(message);
    this.#answered.get(message["id"] as number)?.();
  }

  #offered(client: Client, topic: string, message: Message): void {
    if (message["type"] === "generation") {
      const shown = this.#pages.generation(SCOPE);
      if (shown !== message["generation"]) {
        this.#fail(`${client.name} is told ${message["generation"]}; the page shows ${shown}`);
      }
      this.#notTwice(message["epoch"] as bigint, String(message["unique"]));
    }
    client.slots.set(topic, message);
  }

  #deliver(client: Client): void {
    if (client.session === undefined) return;
    const message = client.inbox.shift() ?? firstOf(client.slots);
    if (message === undefined) return;
    switch (message["type"]) {
      case "watching":
        client.token = String(message["token"]);
        return;
      case "generation": {
        const epoch = message["epoch"] as bigint;
        if (epoch < client.seenEpoch) {
          this.#fail(`${client.name} is told epoch ${epoch} after ${client.seenEpoch}`);
        }
        client.seenEpoch = epoch;
        client.todo = { generation: message["generation"] as number, epoch };
      }
    }
  }

  async #confirm(client: Client): Promise<void> {
    const { session, todo } = client;
    if (session === undefined || todo === undefined) return;
    const isWrong = this.#random.below(8) === 0;
    const id = this.#nextId++;
    client.acking.set(id, todo.epoch);
    this.counts.acks++;
    await this.#request(session, {
      type: "ack",
      id,
      scope: SCOPE,
      generation: isWrong ? todo.generation + 1 : todo.generation,
      epoch: todo.epoch,
    });
  }

  async #release(client: Client): Promise<void> {
    if (client.session === undefined || client.watcher === undefined) return;
    // From the request on, a barrier may wait for it or not.
    this.#oracle.released(client.watcher);
    await this.#request(client.session, { type: "unwatch", id: this.#nextId++, scope: SCOPE });
    client.token = undefined;
  }

  async #barrier(): Promise<void> {
    const waitMs = this.#random.pick([0, 0, 5_000]);
    const passed = this.#scope.barrier({}, { waitMs }).then(({ epoch }) => {
      this.counts.opened++;
      // This must run in the same turn in which the barrier opened.
      try {
        this.#oracle.opened(epoch);
      } catch (error) {
        this.#broken ??= error as Broken;
      }
    }, () => {});
    if (waitMs === 0) await passed;
  }

  /** Each epoch is one event, whatever happened in between. */
  #notTwice(epoch: bigint, unique: string): void {
    const known = this.#used.get(String(epoch));
    if (known !== undefined && known !== unique) this.#fail(`epoch ${epoch} stands for two events`);
    this.#used.set(String(epoch), unique);
  }

  #fail(what: string): void {
    this.#broken ??= new Broken(what);
  }

  /** Sends a request and waits for its answer, so that a seed always gives the same life. */
  async #request(session: WatchSession, request: WatchRequest & { id: number }): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#answered.set(request.id, resolve));
    session.receive(request);
    await answered;
    this.#answered.delete(request.id);
  }
}

function isKill(error: unknown): boolean {
  return error === KILLED || (error instanceof Error && error.cause === KILLED);
}

function firstOf(slots: Map<string, Message>): Message | undefined {
  const [first] = slots;
  if (first === undefined) return undefined;
  slots.delete(first[0]);
  return first[1];
}
