import type { Ledger, LedgerEntry, LedgerKind, LedgerRow } from "../../src/core/ports/ledger.ts";

/** A ledger in memory. It can be told to fail, as a full disk would. */
export class MemoryLedger implements Ledger {
  readonly #entries = new Map<LedgerKind, Map<string, string>>();
  failing: Error | undefined;

  load(kind: LedgerKind): Promise<readonly LedgerRow[]> {
    const stored = [...this.#entries.get(kind) ?? []].sort(([a], [b]) => a < b ? -1 : 1);
    return Promise.resolve(stored.map(([id, body]) => ({ id, body: JSON.parse(body) as unknown })));
  }

  async commit(entries: readonly LedgerEntry[]): Promise<void> {
    await Promise.resolve();
    if (this.failing !== undefined) throw this.failing;
    const rows = entries.map(({ kind, id, body }) => ({ kind, id, text: JSON.stringify(body) }));
    for (const { kind, id, text } of rows) {
      const ofKind = this.#entries.get(kind) ?? new Map<string, string>();
      this.#entries.set(kind, ofKind);
      if (text === undefined) ofKind.delete(id);
      else ofKind.set(id, text);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
