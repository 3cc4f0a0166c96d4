/** Where a scope stands. The head of scope.ts draws how one phase follows the other. */
export const PHASES = ["running", "quiescing", "quiesced", "settling"] as const;

/** One of {@linkcode PHASES}. */
export type Phase = typeof PHASES[number];
