import { Fault } from "../../src/core/faults.ts";
import type { WatchSession } from "../../src/sessions/watch.ts";
import { type GateWorld, LEASE_MS, NAMES } from "./gate_world.ts";
import type { Program } from "./program.ts";
import { Broken } from "./world.ts";

/** Answers that were on their way when something else happened. */
interface LateAnswer {
  readonly program: Program;
  readonly session: WatchSession;
  readonly quiesce: string;
  readonly saysId: boolean;
}

/** Everything that may happen in a {@linkcode GateWorld}, one step at a time. */
export class GateLife {
  readonly #world: GateWorld;
  readonly #late: LateAnswer[] = [];
  #isCalm = false;

  constructor(world: GateWorld) {
    this.#world = world;
  }

  /** @throws {Broken} when the daemon breaks a promise */
  async live(steps: number): Promise<void> {
    const world = this.#world;
    await world.start();
    for (let step = 0; step < steps; step++) {
      if (this.#chance(50)) world.killDaemonIn(world.random.below(8));
      await this.#step();
      await world.settle();
      await world.restartIfDead();
      world.attempt(() => world.oracle.standing(world.scope.state));
      world.check();
    }
  }

  #chance(one: number): boolean {
    return !this.#isCalm && this.#world.random.below(one) === 0;
  }

  /** From here on nothing is lost, cut or killed. */
  calmDown(): void {
    this.#isCalm = true;
  }

  async #step(): Promise<void> {
    const { random, living, clock } = this.#world;
    const program = living.length === 0 ? this.#begin() : random.pick(living);
    switch (random.below(24)) {
      case 0:
      case 1:
        return await this.#bump();
      case 2:
      case 3:
        return await this.connect(program);
      case 4:
        return await this.#drop(program);
      case 5:
      case 6:
      case 7:
        return this.read(program);
      case 8:
      case 9:
      case 10:
        return await this.confirm(program);
      case 11:
      case 12:
        return await this.#world.barrier(random.pick([0, 0, 3_000]));
      case 13:
        return clock.advance(random.below(2 * LEASE_MS));
      case 14:
        return this.#chance(3) ? clock.suspend(random.below(10 * LEASE_MS)) : undefined;
      case 15:
        return this.#chance(2) ? await this.#crash(program) : undefined;
      case 16:
        return void this.#begin();
      case 17:
        return await this.#clone(program);
      case 18:
        return await this.#operate();
      case 19:
        return await this.#stop(program);
      case 20:
        return await this.#begunQuiesce();
      default:
        return await this.#quiesce(program);
    }
  }

  /** A program starts under a name. On the host it reads what the one before has stored. */
  #begin(): Program {
    const { random, living, files, hasRoom } = this.#world;
    if (!hasRoom) return random.pick(living);
    const name = random.pick(NAMES);
    const onHost = this.#chance(2);
    const isTaken = living.some((one) => one.name === name && one.identity !== undefined);
    const stored = onHost && !isTaken ? files.get(name) ?? {} : {};
    // What it has adapted is outside of it, so a later process of its name has adapted as well.
    return this.#world.begin(name, onHost, stored, stored.confirmed ?? -1n);
  }

  async connect(program: Program): Promise<void> {
    if (program.session !== undefined) return;
    const world = this.#world;
    const session = world.connect(program);
    const { token, confirmed } = program.memory;
    const answer = await world.request(session, {
      type: "watch",
      name: program.name,
      track: token === undefined ? !this.#chance(6) : undefined,
      progress: false,
      leaseMs: LEASE_MS,
      ...token === undefined ? {} : { token },
      ...token === undefined || confirmed === undefined ? {} : { epoch: confirmed },
      ...program.identity === undefined ? {} : { process: program.identity },
    });
    if (answer instanceof Fault) return await this.#drop(program);
    // The answer, with the next token in it, is lost on its way; or who would read it is killed.
    if (this.#chance(8)) return await this.#drop(program);
    if (this.#chance(12)) return await this.#crash(program);
    program.memory.token = String(answer["token"]);
    if (answer["outdated"] === false) program.memory.confirmed = answer["epoch"] as bigint;
    if (this.#chance(12)) return await this.#crash(program);
    this.#store(program);
  }

  /** A program whose watcher is not there any more registers as a new one, and confirms. */
  async renew(program: Program): Promise<void> {
    await this.#drop(program);
    const { generation, epoch } = this.#world.scope.state;
    program.memory = { token: undefined, confirmed: undefined, todo: { generation, epoch } };
    await this.connect(program);
    await this.confirm(program);
  }

  #store(program: Program): void {
    const { token, confirmed } = program.memory;
    if (program.identity !== undefined) this.#world.files.set(program.name, { token, confirmed });
  }

  /** The daemon may notice a dead connection long after its client has come back. */
  async #drop(program: Program): Promise<void> {
    const world = this.#world;
    const session = world.cut(program);
    if (session === undefined) return;
    if (this.#isCalm || this.#chance(2)) return await world.endSession(program, session);
    const delayMs = world.random.below(2 * LEASE_MS);
    world.clock.after(delayMs, () => void world.endSession(program, session));
  }

  async #crash(program: Program): Promise<void> {
    this.#world.kill(program);
    // The kernel ends the connections of a process that is gone.
    const session = this.#world.cut(program);
    if (session !== undefined) await this.#world.endSession(program, session);
  }

  /** A snapshot of a program, restored beside it. The original goes on, or is killed. */
  async #clone(program: Program): Promise<void> {
    const world = this.#world;
    if (!world.hasRoom || program.memory.token === undefined) return;
    world.counts.clones++;
    const { memory, adapted, name } = program;
    world.begin(name, program.identity !== undefined && this.#chance(2), { ...memory }, adapted);
    if (this.#chance(4)) await this.#crash(program);
  }

  read(program: Program): void {
    const message = program.isConnected ? this.#world.read(program) : undefined;
    switch (message?.["type"]) {
      case "generation": {
        const epoch = message["epoch"] as bigint;
        program.memory.todo = { generation: message["generation"] as number, epoch };
        return;
      }
      case "quiesce":
        program.invitedTo = String(message["quiesce"]);
        program.quiesceEpoch = message["epoch"] as bigint;
        return;
      case "unquiesce":
        if (program.stillFor === message["quiesce"]) program.stillFor = undefined;
    }
  }

  async confirm(program: Program): Promise<void> {
    const { session, memory: { todo } } = program;
    if (session === undefined || todo === undefined) return;
    const world = this.#world;
    if (this.#chance(10)) {
      const reason = "no entropy";
      await world.request(session, { type: "fail", generation: todo.generation, reason });
      return;
    }
    const answer = await world.request(session, { type: "ack", ...todo });
    if (answer instanceof Fault) return;
    if (this.#chance(12)) return await this.#drop(program);
    if (this.#chance(12)) return await this.#crash(program);
    program.memory.confirmed = todo.epoch;
    // Whoever has confirmed a later generation than the quiesce began at goes on at once.
    if (todo.epoch > program.quiesceEpoch) program.stillFor = undefined;
    this.#store(program);
  }

  async #bump(): Promise<void> {
    const { scope, oracle, options } = this.#world;
    const { state } = scope;
    const force = this.#chance(3);
    const { quiesce } = state;
    // Judged before, because the bump ends the quiesce.
    const moving = [...state.watchers].filter(({ id, tracked, presence }) => {
      const isExcused = presence === "lost" && options.onLost === "open";
      const program = oracle.holder(id);
      return tracked && !isExcused && program?.isAlive === true && program.stillFor !== quiesce?.id;
    });
    const request = { reason: "sim", by: "sim", force };
    const isBumped = await scope.bump(request).then(() => true, () => false);
    if (!isBumped || force || !options.requireQuiesce || moving.length === 0) return;
    throw new Broken(`bumped although ${moving.map(({ name }) => name)} did not stand still`);
  }

  /** An operator gives somebody up, or a program says that it need not be waited for. */
  async #operate(): Promise<void> {
    const { scope, random, oracle, counts } = this.#world;
    const watchers = [...scope.state.watchers];
    if (watchers.length === 0 || !this.#chance(3)) return;
    const { id } = random.pick(watchers);
    const program = oracle.holder(id);
    if (program?.session !== undefined && program.isAlive && this.#chance(2)) {
      oracle.untracks(program, scope.state);
      const { name } = program;
      const frame = { type: "watch", name, track: false, progress: false } as const;
      await this.#world.request(program.session, frame);
      return;
    }
    counts.releases++;
    oracle.mayGo(id);
    await scope.watchers.release(id).catch(() => {});
  }

  /** What our own client does at SIGTERM: it does not release while it has something to confirm. */
  async #stop(program: Program): Promise<void> {
    const { session, memory } = program;
    if (!this.#chance(3)) return;
    const world = this.#world;
    if (session !== undefined) {
      const isOpen = memory.todo !== undefined && memory.todo.epoch !== memory.confirmed;
      if (isOpen && memory.todo !== undefined) {
        const { generation } = memory.todo;
        await world.request(session, { type: "fail", generation, reason: "it was stopped" });
      } else if (memory.confirmed !== undefined) await this.#unwatch(program, session);
    }
    await this.#crash(program);
  }

  async #unwatch(program: Program, session: WatchSession): Promise<void> {
    const world = this.#world;
    const epoch = program.memory.confirmed as bigint;
    const isCurrent = world.scope.state.epoch === epoch;
    if (isCurrent) {
      for (const { id } of world.scope.state.watchers) {
        if (world.oracle.holder(id) === program) world.oracle.mayGo(id);
      }
    }
    const answer = await world.request(session, { type: "unwatch", epoch });
    if (!(answer instanceof Fault) && program.identity) world.files.delete(program.name);
  }

  /** An operator asks everybody to stand still. Now and then all of them read it at once. */
  async #begunQuiesce(): Promise<void> {
    const { scope, random, living } = this.#world;
    await scope.beginQuiesce({ reason: "sim", maxMs: 1 + random.below(20_000) }).catch(() => {});
    if (this.#chance(2)) return;
    for (const program of living) {
      for (let n = 0; n < 3; n++) this.read(program);
      if (!this.#chance(4)) await this.#standStill(program);
    }
    if (this.#chance(2)) await this.#bump();
  }

  async #quiesce(program: Program): Promise<void> {
    switch (this.#world.random.below(5)) {
      case 0:
        return await this.#world.scope.unquiesce("sim").catch(() => {});
      case 1:
        return await this.#sendLate();
      default:
        return await this.#standStill(program);
    }
  }

  async #standStill(program: Program): Promise<void> {
    const { invitedTo, session } = program;
    if (invitedTo === undefined || session === undefined) return;
    program.invitedTo = undefined;
    if (this.#chance(5)) {
      const frame = { type: "quiesced", quiesce: invitedTo, cannot: "busy" } as const;
      return void await this.#world.request(session, frame);
    }
    program.stillFor = invitedTo;
    const late = { program, session, quiesce: invitedTo, saysId: !this.#chance(3) };
    if (this.#chance(3)) return void this.#late.push(late);
    this.#world.counts.quiesced++;
    await this.#answer(late);
  }

  async #sendLate(): Promise<void> {
    const late = this.#late.shift();
    if (late !== undefined && late.program.session === late.session) await this.#answer(late);
  }

  async #answer({ session, quiesce, saysId }: LateAnswer): Promise<void> {
    const id = saysId ? { quiesce } : {};
    await this.#world.request(session, { type: "quiesced", ...id });
  }
}
