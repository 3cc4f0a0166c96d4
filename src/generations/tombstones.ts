import { commit } from "../core/commit.ts";
import { RECLAIM_MS, RECLAIM_RETRY_MS, RECLAIM_SCOPES } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Ledger, LedgerRow } from "../core/ports/ledger.ts";
import type { PageFolder } from "../core/ports/page_file.ts";
import type { Serial } from "../core/serial.ts";
import type { Bump } from "./bump.ts";
import { scopeGone } from "./records.ts";
import type { ScopeState } from "./scope.ts";

/** Where the ledger has the greatest epoch of the scopes that are forgotten. */
const FLOOR_ID = "epoch-floor";

interface TombstonePorts {
  readonly ledger: Ledger;
  readonly pages: PageFolder;
  readonly clock: Clock;
}

/**
 * The deleted scopes. Each is remembered for as long as somebody has its pages, so that its counter
 * goes on when it is made again. When its pages are reclaimed, all that stays of it is that no scope
 * begins at an epoch that it has reached (docs/generations.md#reclaim). Its generation does not
 * stay: it is of 32 bits, and one that is at their end would leave none to others.
 */
export class Tombstones {
  readonly #ports: TombstonePorts;
  /** Orders this with making and deleting scopes. */
  readonly #serial: Serial;
  readonly #buried = new Map<string, ScopeState>();
  /** Those that are still to be looked at in this round. */
  #untried: string[] = [];
  #floor: bigint | undefined;
  #cancel: (() => void) | undefined;
  #isClosed = false;

  /** @param counters The counters that the ledger has */
  constructor(ports: TombstonePorts, serial: Serial, counters: readonly LedgerRow[]) {
    this.#ports = ports;
    this.#serial = serial;
    const floor = counters.find(({ id }) => id === FLOOR_ID)?.body;
    this.#floor = typeof floor === "string" ? BigInt(floor) : undefined;
  }

  get size(): number {
    return this.#buried.size;
  }

  /** The last generation of a deleted scope that is remembered. */
  generationOf(name: string): number | undefined {
    return this.#buried.get(name)?.generation;
  }

  /** Where a scope of this name begins. */
  firstOf(name: string): Pick<Bump, "generation" | "epoch"> {
    const next = this.#buried.get(name)?.next(0);
    return next ?? { generation: 0, epoch: this.#floor === undefined ? 0n : this.#floor + 1n };
  }

  /** Remembers a scope that was deleted. */
  add(scope: ScopeState): void {
    this.#buried.set(scope.name, scope);
    this.#lookAfter(RECLAIM_MS);
  }

  /** A scope was made again. */
  remove(name: string): void {
    this.#buried.delete(name);
  }

  /** Looks at some now. The caller has the turn among changes of scopes. */
  async reclaim(): Promise<void> {
    if (this.#untried.length === 0) this.#untried = [...this.#buried.keys()];
    const names = this.#untried.splice(0, RECLAIM_SCOPES).filter((name) => this.#buried.has(name));
    if (names.length === 0) return;
    const gone = await this.#ports.pages.reclaim(names);
    if (gone.length === 0) return;
    const epochs = gone.map((name) => this.#buried.get(name)?.epoch ?? 0n);
    const floor = [...epochs, this.#floor ?? 0n].reduce((a, b) => a > b ? a : b);
    await commit(this.#ports.ledger, [
      ...gone.map(scopeGone),
      { kind: "counter", id: FLOOR_ID, body: String(floor) },
    ]);
    this.#floor = floor;
    for (const name of gone) this.#buried.delete(name);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #lookAfter(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancel ??= this.#ports.clock.after(delayMs, () => {
      // What fails is tried again in the next round.
      void this.#serial.run(() => this.#isClosed ? undefined : this.reclaim()).catch(() => {})
        .then(() => this.#lookAgain());
    });
  }

  #lookAgain(): void {
    this.#cancel = undefined;
    if (this.#untried.length > 0) this.#lookAfter(0);
    else if (this.#buried.size > 0) this.#lookAfter(RECLAIM_RETRY_MS);
  }
}
