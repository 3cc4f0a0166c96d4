/**
 * The phases that a scope goes through (docs/generations.md#states).
 *
 * ```text
 *           beginQuiesce()          every tracked watcher has quiesced
 * running ────────────────▶ quiescing ──────────────────────────────▶ quiesced
 *   ▲ ▲                         │                                        │
 *   │ └── endQuiesce() ─────────┴────────────────────────────────────────┤
 *   │                                                                    │ apply(bump)
 *   │   no tracked watcher is outdated (or only lost ones are and the    │
 *   │   scope says onLost: open), and every expectation is met           ▼
 *   └───────────────────────────────────────────────────────────────  settling
 *                                                                        ▲
 *                                         apply(bump) in any phase ──────┘
 * ```
 *
 * A bump after which nobody is waited for goes straight to running.
 *
 * @module
 */
/** Where a scope stands. The head of scope.ts draws how one phase follows the other. */
export const PHASES = ["running", "quiescing", "quiesced", "settling"] as const;

/** One of {@linkcode PHASES}. */
export type Phase = typeof PHASES[number];

/** Nobody is left whom a barrier would wait for. */
export interface Settled {
  readonly generation: number;
  readonly epoch: bigint;
  /** From the bump to the last confirmation, in milliseconds. */
  readonly tookMs: number;
}

/**
 * What happened when the last whom a bump waits for confirmed it now.
 *
 * @param measuredMs How long it took, where it could be measured. Across a boot of the machine there
 * is only the wall clock, which may have been set
 */
export function settledAt(
  { generation, epoch, atNs }: { generation: number; epoch: bigint; atNs: bigint },
  nowNs: bigint,
  measuredMs?: number,
): Settled {
  const tookMs = measuredMs ?? Math.max(0, Number(nowNs - atNs) / 1e6);
  return { generation, epoch, tookMs };
}
