import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import { SCOPES_MAX, TOMBSTONES_MAX } from "../core/limits.ts";
import type { LedgerRow } from "../core/ports/ledger.ts";
import type { PageFolder } from "../core/ports/page_file.ts";
import { Serial } from "../core/serial.ts";
import type { BarrierRequest } from "./barrier.ts";
import { scopeNotFound, type Wait } from "./changes.ts";
import { type JointOpen, passJointly } from "./joint_barrier.ts";
import { mintBump } from "./bump.ts";
import { LiveScope, type LiveScopePorts } from "./live_scope.ts";
import { Pages } from "./pages.ts";
import { type PastBump, pastBumpOf } from "./past_bump.ts";
import { Replays } from "./replays.ts";
import { recoveryOf } from "./reconcile.ts";
import { scopeEntry, scopeOf, watcherOf } from "./records.ts";
import type { ScopePorts } from "./scope_ports.ts";
import { Scope } from "./scope.ts";
import { Tombstones } from "./tombstones.ts";
import { DEFAULT_OPTIONS, type ScopeOptions } from "./scope_options.ts";

/** The scope of the whole machine. It always exists. */
export const SYSTEM_SCOPE = "system";

/** What the scopes need from outside. */
interface ScopesPorts extends ScopePorts {
  readonly pages: PageFolder;
}

/** Makes, finds and deletes the scopes of the daemon by name. */
export class Scopes {
  readonly #ports: ScopesPorts & LiveScopePorts;
  readonly #scopes = new Map<string, LiveScope>();
  readonly #tombstones: Tombstones;
  readonly #serial = new Serial();

  private constructor(ports: ScopesPorts & LiveScopePorts, counters: readonly LedgerRow[]) {
    this.#ports = ports;
    this.#tombstones = new Tombstones(ports, this.#serial, counters);
  }

  /** Reads the scopes back from the ledger, and mends their pages to match it. */
  static async open(ports: ScopesPorts): Promise<Scopes> {
    const replays = new Replays(ports.clock, await ports.ledger.load("replay"));
    const scopes = new Scopes({ ...ports, replays }, await ports.ledger.load("counter"));
    const past = Map.groupBy(
      (await ports.ledger.load("bump")).map(pastBumpOf),
      ({ scope }) => scope,
    );
    const watchers = Map.groupBy(
      (await ports.ledger.load("watcher")).map((entry) => watcherOf(entry, ports.clock.wallNs())),
      ({ scope }) => scope,
    );
    for (const entry of await ports.ledger.load("scope")) {
      const { scope, deleted } = scopeOf(entry);
      if (deleted) {
        scopes.#tombstones.add(scope);
        continue;
      }
      for (const { watcher } of watchers.get(scope.name) ?? []) scope.add(watcher);
      const pages = new Pages(ports.pages, scope.name, scope.current);
      await scopes.#publish(scope, pages, past.get(scope.name)?.map((one) => one.past));
    }
    if (!scopes.#scopes.has(SYSTEM_SCOPE)) await scopes.put(SYSTEM_SCOPE, DEFAULT_OPTIONS);
    return scopes;
  }

  /** All scopes in the order of their names. */
  list(): LiveScope[] {
    // Whoever hears of a deletion must not find the scope in a list that is read afterwards.
    return [...this.#scopes.values()].filter(({ isDeleted }) => !isDeleted)
      .sort((a, b) => a.state.name < b.state.name ? -1 : 1);
  }

  has(name: string): boolean {
    return this.#scopes.has(name);
  }

  /** @throws {Fault} `scope-not-found` */
  get(name: string): LiveScope {
    const scope = this.#scopes.get(name);
    if (scope === undefined) throw scopeNotFound(name);
    return scope;
  }

  /**
   * Makes a scope, or gives an existing one other options. A scope that was deleted before goes on
   * with its next generation on the same page, if somebody still has that.
   *
   * @throws {Fault} `scopes-exhausted`, `page-unusable`, `state-unavailable`
   */
  put(name: string, options: ScopeOptions): Promise<{ scope: LiveScope; created: boolean }> {
    return this.#serial.run(async () => {
      const known = this.#scopes.get(name);
      if (known !== undefined) {
        await known.configure(options);
        return { scope: known, created: false };
      }
      return { scope: await this.#create(name, options), created: true };
    });
  }

  /**
   * Finds a scope, or makes it.
   *
   * @param options Of a scope that is made
   * @param allow Throws when the one or the other must not be, and then nothing has happened
   * @throws {Fault} `scopes-exhausted`, `page-unusable`, `state-unavailable`
   */
  findOrMake(
    name: string,
    options: ScopeOptions,
    allow: (isMade: boolean) => void,
  ): Promise<LiveScope> {
    return this.#serial.run(async () => {
      const known = this.#scopes.get(name);
      allow(known === undefined);
      return known ?? await this.#create(name, options);
    });
  }

  /**
   * Deletes a scope with its watchers. Its pages stay, and its counter is remembered, for as long
   * as somebody has the pages.
   *
   * @throws {Fault} `scope-in-use` while tracked watchers exist, unless forced, and always for
   * the scope `system`; `scopes-exhausted` when no more counters can be remembered
   */
  delete(name: string, force: boolean): Promise<void> {
    return this.#serial.run(async () => {
      const scope = this.get(name);
      if (name === SYSTEM_SCOPE) {
        throw new Fault("scope-in-use", `Cannot delete scope "${name}": it always exists`);
      }
      await this.#requireRoomForTombstone(name);
      await scope.delete(force);
      this.#scopes.delete(name);
      this.#tombstones.add(scope.state);
    });
  }

  /**
   * Waits until the barriers of several scopes are open at one moment.
   *
   * @throws {Fault} `scope-not-found`; as {@linkcode passJointly}
   */
  async barrier(
    names: readonly string[],
    request: Pick<BarrierRequest, "atLeast">,
    wait: Wait,
  ): Promise<readonly JointOpen[]> {
    const scopes = names.map((name) => this.get(name));
    return await passJointly(scopes, request, wait, this.#ports.clock);
  }

  /** Writes what is still to be written and closes the pages, after a deletion that is under way. */
  close(): Promise<void> {
    return this.#serial.run(async () => {
      this.#tombstones.close();
      await Promise.all(this.list().map((scope) => scope.close()));
    });
  }

  async #requireRoomForTombstone(name: string): Promise<void> {
    if (this.#tombstones.size >= TOMBSTONES_MAX) await this.#tombstones.reclaim();
    if (this.#tombstones.size < TOMBSTONES_MAX) return;
    throw new Fault(
      "scopes-exhausted",
      `Cannot delete scope "${name}": somebody still has the pages of ${TOMBSTONES_MAX} deleted ` +
        "scopes open, mapped or mounted; end those programs or unmount the pages",
    );
  }

  async #create(name: string, options: ScopeOptions): Promise<LiveScope> {
    if (this.#scopes.size >= SCOPES_MAX) {
      throw new Fault(
        "scopes-exhausted",
        `Cannot make scope "${name}": there are ${this.#scopes.size}; delete one first`,
      );
    }
    const next = this.#tombstones.firstOf(name);
    const first = mintBump(this.#ports, next, "created", "innkeeper");
    const scope = new Scope(name, options, first, this.#tombstones.generationOf(name));
    // The pages come before the commit: a committed scope without pages would fail every start.
    const pages = new Pages(this.#ports.pages, name, first);
    try {
      await commit(this.#ports.ledger, [scopeEntry(scope)]);
    } catch (error) {
      pages.close();
      throw error;
    }
    const live = await this.#publish(scope, pages);
    this.#tombstones.remove(name);
    const about = { kind: "scopes", name } as const;
    this.#ports.events.emit(
      { kind: "scope.created", subject: name, data: { ...options } },
      { about },
    );
    return live;
  }

  async #publish(
    scope: Scope,
    pages: Pages,
    past?: readonly PastBump[],
  ): Promise<LiveScope> {
    const live = new LiveScope(scope, pages, this.#ports, past);
    const recovery = recoveryOf(pages.found, scope.current, scope.previousGeneration);
    if (recovery === undefined) pages.mend(scope.current);
    else await live.bump({ ...recovery, reason: "recovered", by: "innkeeper", force: true });
    this.#scopes.set(scope.name, live);
    return live;
  }
}
