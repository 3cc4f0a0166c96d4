/** What is to be done at start about a page and the ledger's word on it. */
export type Reconciliation =
  /** They agree. */
  | "keep"
  /** The process died between the ledger's commit and the store: store the ledger's value. */
  | "store"
  /** The page was written by somebody else, or the ledger is older than the page: bump past it. */
  | "recover";

/**
 * The ledger wins (spec decision 3): a value that was ever published is not used for another
 * event, whatever was restored from a backup in between.
 *
 * @param found What the page held; `undefined` for a page that was made just now
 */
export function reconcile(
  found: number | undefined,
  kept: { readonly generation: number; readonly previousGeneration: number | undefined },
): Reconciliation {
  if (found === undefined || found === kept.generation) return "keep";
  return found === kept.previousGeneration ? "store" : "recover";
}
