/** Unpredictable bytes, as the domains need them. Tests give a seeded source. */
export interface Random {
  /** `count` fresh bytes. */
  bytes(count: number): Uint8Array;
}
