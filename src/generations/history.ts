import { HISTORY_BUMPS_MAX } from "../core/limits.ts";
import type { LedgerEntry } from "../core/ports/ledger.ts";
import { type PastBump, pastBumpEntry } from "./past_bump.ts";

/**
 * The last bumps of a scope. The ledger has a ring of them: a bump is written in its own commit,
 * over the one that is as many bumps older as the ring is long. How long it took to settle is
 * written with the next commit of the scope, or a little later.
 */
export class History {
  readonly #scope: string;
  /** Newest first. */
  readonly #bumps: PastBump[];
  #unsaved: PastBump | undefined;
  /** The newest one as the ledger has it, or as the commit under way writes it. */
  #saved: PastBump | undefined;

  /** @param known Those that the ledger has, in any order */
  constructor(scope: string, known: readonly PastBump[]) {
    this.#scope = scope;
    this.#bumps = known.toSorted((a, b) => a.bump.epoch < b.bump.epoch ? 1 : -1)
      .slice(0, HISTORY_BUMPS_MAX);
  }

  /** Newest first. */
  get bumps(): readonly PastBump[] {
    return this.#bumps;
  }

  /** What the commit of a bump has to write. */
  entries(next: PastBump): LedgerEntry[] {
    this.#saved = next;
    return [...this.unsaved(), pastBumpEntry(this.#scope, next)];
  }

  /** What is not in the ledger yet. */
  unsaved(): LedgerEntry[] {
    return this.#unsaved === undefined ? [] : [pastBumpEntry(this.#scope, this.#unsaved)];
  }

  /** Notes that the ledger has all. */
  saved(): void {
    this.#unsaved = undefined;
  }

  /** Adds a bump, whose commit may have foretold something else of it. */
  add(bump: PastBump): void {
    this.#bumps.unshift(bump);
    if (this.#saved?.outdated !== bump.outdated) this.#unsaved = bump;
    if (this.#bumps.length > HISTORY_BUMPS_MAX) this.#bumps.pop();
  }

  /**
   * The bump of this epoch has settled.
   *
   * @returns Whether that is to be written
   */
  settled(epoch: bigint, tookMs: number): boolean {
    const [newest] = this.#bumps;
    if (newest?.bump.epoch !== epoch) return false;
    this.#bumps[0] = { ...newest, tookMs };
    const isSaved = this.#unsaved === undefined && this.#saved?.bump.epoch === epoch &&
      this.#saved.tookMs === tookMs;
    if (!isSaved) this.#unsaved = this.#bumps[0];
    return !isSaved;
  }
}
