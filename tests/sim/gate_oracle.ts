import type { BarrierOpen } from "../../src/generations/barrier.ts";
import { matchesPattern } from "../../src/generations/expectations.ts";
import type { ScopeState } from "../../src/generations/scope.ts";
import type { Program } from "./program.ts";
import { Broken } from "./world.ts";

/**
 * What is really so: which program stands behind each watcher, and what it has done. It judges
 * every barrier that opens (docs/generations.md#7): never while a tracked or expected program has
 * neither confirmed, nor left, nor been declared lost where the scope lets that pass; and whoever
 * is excused must be named.
 */
export class GateOracle {
  /** Who stands behind each watcher that the daemon has told of. */
  readonly #holders = new Map<string, Program>();
  /** Programs that left this epoch before they had confirmed it, by their watcher's id. */
  readonly #left = new Map<string, Program>();
  /** Watchers that barriers wait for, as the daemon was told last. */
  readonly #tracked = new Set<string>();
  /** Watchers that somebody has said may go. */
  readonly #mayGo = new Set<string>();

  holder(watcher: string): Program | undefined {
    return this.#holders.get(watcher);
  }

  /** Somebody gives a watcher up: the program itself, an operator, or the scope's options. */
  mayGo(watcher: string): void {
    this.#mayGo.add(watcher);
  }

  /** A program says that it need not be waited for, over its connection. */
  untracks(program: Program, scope: ScopeState): void {
    for (const { id, presence } of scope.watchers) {
      if (presence === "connected" && this.#holders.get(id) === program) this.#tracked.delete(id);
    }
  }

  /** The daemon said to a program which watcher it is. */
  watching(
    program: Program,
    watcher: string,
    said: { readonly outdated: boolean; readonly hadToken: boolean },
    scope: ScopeState,
  ): void {
    const before = this.#holders.get(watcher);
    if (before !== undefined && before !== program) this.#superseded(before, watcher, scope);
    this.#holders.set(watcher, program);
    if (scope.has(watcher) && scope.watcher(watcher).tracked) this.#tracked.add(watcher);
    if (said.outdated) return;
    if (!said.hadToken) program.adapted = scope.epoch;
    else if (program.adapted < scope.epoch) {
      throw new Broken(
        `${program.name}#${program.id} is called up to date at epoch ${scope.epoch}; it has ` +
          `adapted to ${program.adapted}`,
      );
    }
  }

  /** Somebody else is this watcher now: whoever was it must still be in the barrier, if it lives. */
  #superseded(before: Program, watcher: string, scope: ScopeState): void {
    // The newest one: of others the daemon may have died before it could tell who they are.
    const newest = [...scope.watchers].findLast(({ id, supersededBy }) =>
      supersededBy === watcher && !this.#holders.has(id)
    );
    if (newest !== undefined) {
      this.#holders.set(newest.id, before);
      if (this.#tracked.has(watcher)) this.#tracked.add(newest.id);
      return;
    }
    const isCovered = [...this.#holders].some(([id, one]) =>
      one === before && id !== watcher && scope.has(id)
    );
    if (before.isAlive && this.#tracked.has(watcher) && !isCovered) {
      throw new Broken(`the return of another as ${watcher} removed ${before.name}#${before.id}`);
    }
  }

  acked(program: Program, epoch: bigint): void {
    program.adapted = program.adapted < epoch ? epoch : program.adapted;
    program.acked = program.acked < epoch ? epoch : program.acked;
  }

  /** There is a new epoch: nobody has left it yet. */
  bumped(): void {
    this.#left.clear();
  }

  /** A watcher is no longer there. */
  gone(watcher: string, why: string, epoch: bigint): void {
    const program = this.#holders.get(watcher);
    if (program === undefined) return;
    const isAllowed = why === "dead"
      ? !program.isAlive
      : why === "forgotten" || !this.#tracked.has(watcher) || this.#mayGo.has(watcher);
    if (!isAllowed) throw new Broken(`${watcher} of ${program.name}#${program.id} is ${why}`);
    this.#holders.delete(watcher);
    if (program.adapted < epoch && this.#tracked.has(watcher)) this.#left.set(watcher, program);
  }

  /** After a restart: every tracked watcher that nobody gave up must be there. */
  restarted(scope: ScopeState): void {
    for (const [watcher, program] of [...this.#holders]) {
      if (scope.has(watcher)) continue;
      // The daemon died after it had committed this, and before it could tell.
      const isDead = scope.departed.some(({ id, why }) => id === watcher && why === "dead") ||
        (!program.isAlive && program.identity !== undefined && program.adapted >= scope.epoch);
      const isForgotten = scope.past.forgotten.some(({ id }) => id === watcher);
      if (isDead || isForgotten) {
        this.gone(watcher, isDead ? "dead" : "forgotten", scope.epoch);
        continue;
      }
      if (this.#tracked.has(watcher) && !this.#mayGo.has(watcher)) {
        throw new Broken(`${watcher} of ${program.name}#${program.id} did not survive a restart`);
      }
      this.gone(watcher, "released", scope.epoch);
    }
    for (const { id, supersededBy } of scope.watchers) {
      if (this.#holders.has(id)) continue;
      // The daemon died before it could tell. So whoever came was not told which watcher it is, and
      // whoever it superseded stands behind the other one now.
      const holder = supersededBy === undefined ? undefined : this.#holders.get(supersededBy);
      if (holder === undefined || supersededBy === undefined) continue;
      this.#holders.delete(supersededBy);
      this.#holders.set(id, holder);
      this.#tracked.add(id);
    }
  }

  /** Whoever counts as standing still for the quiesce that is on must really stand still for it. */
  standing(scope: ScopeState): void {
    for (const watcher of scope.watchers) {
      const program = this.#holders.get(watcher.id);
      if (program?.isAlive !== true || !scope.hasQuiesced(watcher)) continue;
      if (program.stillFor === scope.quiesce?.id) continue;
      throw new Broken(
        `${program.name}#${program.id} counts as standing still for ${scope.quiesce?.id}; it did ` +
          `not stand still but for ${program.stillFor}`,
      );
    }
  }

  /** Judges a barrier that has opened. */
  opened(open: BarrierOpen, scope: ScopeState): void {
    const { epoch } = open;
    const named = new Set([...open.lost, ...open.departed, ...open.forgotten].map(({ id }) => id));
    const lost = new Set(open.lost.map(({ id }) => id));
    for (const [watcher, program] of this.#holders) {
      if (!this.#tracked.has(watcher) || program.adapted >= epoch || lost.has(watcher)) continue;
      this.#fail(epoch, watcher, program, "has not confirmed it");
    }
    for (const [watcher, program] of this.#left) {
      if (program.adapted >= epoch || named.has(watcher)) continue;
      this.#fail(epoch, watcher, program, "left before, and is not named");
    }
    for (const pattern of scope.options.expect) this.#expected(pattern, epoch);
    const acked = new Set([...this.#holders.values()].filter((one) => one.acked >= epoch)).size;
    if (open.confirmed.length < scope.options.atLeast) {
      throw new Broken(`the barrier opened for epoch ${epoch} with ${acked} confirmations`);
    }
  }

  #expected(pattern: string, epoch: bigint): void {
    for (const [watcher, program] of this.#holders) {
      if (!program.isAlive || !matchesPattern(pattern, program.name)) continue;
      if (program.adapted < epoch) {
        this.#fail(epoch, watcher, program, `is expected as ${pattern} and has not confirmed`);
      }
    }
    if (this.#hasAcked(pattern, epoch)) return;
    throw new Broken(`the barrier opened for epoch ${epoch}; nobody of ${pattern} has confirmed`);
  }

  #hasAcked(pattern: string, epoch: bigint): boolean {
    return this.everybody.some((one) => matchesPattern(pattern, one.name) && one.acked >= epoch);
  }

  /** Every program of this world, those that left included. */
  readonly everybody: Program[] = [];

  #fail(epoch: bigint, watcher: string, program: Program, what: string): never {
    throw new Broken(
      `the barrier opened for epoch ${epoch}; ${program.name}#${program.id} (${watcher}) ${what}`,
    );
  }
}
