/** Bytes that wait outside memory until all of them are there. */
export interface Spool {
  readonly byteLength: number;
  /** Adds bytes behind the earlier ones. */
  append(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The bytes in ascending parts. */
  parts(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Forgets the bytes. */
  close(): void;
}

/** Where spools are made. */
export interface Spools {
  /** @throws {SystemError} */
  create(): Promise<Spool>;
}
