/** Bytes that are in memory before the first instruction. */
export interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What a boot loader must know of a kernel. */
export interface Kernel {
  /** Its parts, and where each goes. */
  readonly pieces: readonly Piece[];
  /** Physical address of its 32-bit entry point. */
  readonly entry: number;
  /** First address above everything that it uses before it reads the memory map. */
  readonly end: number;
  /** Its setup header, from offset 0x1f1 of the boot parameters on. */
  readonly setupHeader: Uint8Array;
  /** Longest command line that it takes, without the NUL. */
  readonly commandLineMax: number;
  /** Highest address that a byte of the initrd may have. */
  readonly initrdMax: number;
}

/** A view of all of these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
