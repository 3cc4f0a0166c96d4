import { Fault } from "./faults.ts";
import type { Ledger, LedgerEntry } from "./ports/ledger.ts";

/**
 * Commits entries to the ledger. A failure is the same fault wherever it happens.
 *
 * @throws {Fault} `state-unavailable`
 */
export async function commit(ledger: Ledger, entries: readonly LedgerEntry[]): Promise<void> {
  try {
    await ledger.commit(entries);
  } catch (cause) {
    throw new Fault(
      "state-unavailable",
      `Cannot write the ledger: ${(cause as Error).message}; nothing was changed`,
      { cause },
    );
  }
}
