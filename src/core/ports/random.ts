/** A source of unpredictable bytes. Tests pass a seeded one. */
export interface Random {
  /** `count` fresh bytes. */
  bytes(count: number): Uint8Array;
}
