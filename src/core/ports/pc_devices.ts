/** A serial line of a PC: 0 is its console, on 1 its reseeder talks to the host. */
export type SerialLine = 0 | 1;

/** A disk as a PC sees it. */
export interface DiskShape {
  /** Size in bytes, whole sectors. */
  readonly sizeBytes: number;
  /** Writes fail. */
  readonly readOnly: boolean;
}

/**
 * The host side of a PC's devices, outside its engine. Disk calls of one disk come one after the
 * other. A call that rejects is an I/O error for the guest.
 */
export interface PcDevices {
  /** The guest has written to a serial line. The engine stops the guest while this is slow. */
  written(line: SerialLine, bytes: Uint8Array<ArrayBuffer>): void;
  readDisk(disk: number, at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  writeDisk(disk: number, at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Everything written so far is on stable storage when this resolves. */
  flushDisk(disk: number): Promise<void>;
  /** Answers a 9P2000.L message with another. It never rejects. */
  serve9p(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
}
