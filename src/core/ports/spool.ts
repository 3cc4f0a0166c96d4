/** Bytes that wait outside memory until all of them have arrived. */
export interface Spool {
  readonly byteLength: number;
  /** Adds bytes behind the earlier ones. */
  append(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The bytes in ascending parts. */
  parts(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Deletes the bytes. */
  close(): void;
}

/** Makes spools. */
export interface Spools {
  /** @throws {SystemError} */
  create(): Promise<Spool>;
}
