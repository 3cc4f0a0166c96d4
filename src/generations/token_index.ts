import type { Watcher } from "./watcher.ts";

/** Finds the watchers of a scope by the hashes of their resume tokens. */
export class TokenIndex {
  /** By tokens that are good for one return. */
  readonly #unspent = new Map<string, string>();
  /** By tokens that somebody has returned with already. */
  readonly #spent = new Map<string, Set<string>>();

  add({ id, tokenHash, previousTokenHash, isTokenSpent }: Watcher): void {
    if (isTokenSpent === true) this.#addSpent(tokenHash, id);
    else if (tokenHash !== undefined) this.#unspent.set(tokenHash, id);
    this.#addSpent(previousTokenHash, id);
  }

  delete({ id, tokenHash = "", previousTokenHash = "" }: Watcher): void {
    if (this.#unspent.get(tokenHash) === id) this.#unspent.delete(tokenHash);
    for (const hash of [tokenHash, previousTokenHash]) {
      const ids = this.#spent.get(hash);
      ids?.delete(id);
      if (ids?.size === 0) this.#spent.delete(hash);
    }
  }

  /** The watcher that this token continues. */
  unspent(tokenHash: string): string | undefined {
    return this.#unspent.get(tokenHash);
  }

  /** The watchers whose connection may have been given nothing newer than this token. */
  spent(tokenHash: string): readonly string[] {
    return [...this.#spent.get(tokenHash) ?? []];
  }

  #addSpent(tokenHash: string | undefined, id: string): void {
    if (tokenHash === undefined) return;
    const ids = this.#spent.get(tokenHash) ?? new Set();
    this.#spent.set(tokenHash, ids.add(id));
  }
}
