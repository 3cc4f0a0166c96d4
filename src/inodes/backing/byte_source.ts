/** Bytes that are all there, perhaps not in memory: a body that has arrived whole. */
export interface ByteSource {
  readonly byteLength: number;
  /** The bytes in ascending parts. */
  parts(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Bytes in memory as a source. */
export function sourceOf(bytes: Uint8Array<ArrayBuffer>): ByteSource {
  return {
    byteLength: bytes.byteLength,
    async *parts() {
      if (bytes.byteLength > 0) yield bytes;
    },
  };
}
