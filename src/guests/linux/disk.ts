import { Fault } from "../../core/faults.ts";
import { OVERLAY_RANGES_MAX, SNAPSHOT_OVERLAY_BYTES_MAX } from "../../core/limits.ts";
import type { DiskFile, DiskParts, SavedDisk } from "../../core/ports/guest_files.ts";
import type { DiskShape } from "../../core/ports/pc_devices.ts";
import { Segments } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import { SystemError } from "../../core/system_error.ts";

/** A disk in a snapshot, with the ranges that its guest has written. */
export interface DiskImage extends SavedDisk {
  /** The ranges that the overlay holds, ascending. */
  readonly ranges: readonly (readonly [at: number, length: number])[];
}

const COPY_BYTES = 1024 * 1024;

/**
 * A disk. Many guests share its base, and each writes into an overlay of its own
 * (docs/guests.md#disks). Calls are done one after the other, so that a read finds what was written
 * before it.
 */
export class Disk {
  readonly #parts: DiskParts;
  readonly #written = new Segments<true>();
  readonly #serial = new Serial();
  #isClosed = false;

  constructor(parts: DiskParts) {
    this.#parts = parts;
  }

  get shape(): DiskShape {
    const { sizeBytes, overlay } = this.#parts;
    return { sizeBytes, readOnly: overlay === undefined };
  }

  /** Reads all of a range within the disk. */
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#serial.run(() => this.#read(at, length));
  }

  async #read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#require(at, length);
    const { base, overlay } = this.#parts;
    const range = { start: BigInt(at), end: BigInt(at + length) };
    if (overlay !== undefined && this.#written.covers(range)) return await overlay.read(at, length);
    const bytes = await base.read(at, length);
    for (const { start, end } of this.#written.within(range)) {
      const [from, to] = [Number(start), Number(end)];
      if (overlay !== undefined) bytes.set(await overlay.read(from, to - from), from - at);
    }
    return bytes;
  }

  /** Writes into the overlay. */
  write(at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#serial.run(async () => {
      this.#require(at, bytes.length);
      await this.#overlay().write(at, bytes);
      this.#written.set({ start: BigInt(at), end: BigInt(at + bytes.length) }, true);
    });
  }

  /** Everything written so far is on stable storage when this resolves. */
  flush(): Promise<void> {
    return this.#serial.run(() => this.#parts.overlay?.sync());
  }

  /**
   * Reads what was written, for a snapshot.
   *
   * @param roomBytes How many bytes fit into the snapshot
   * @throws {Fault} `snapshots-exhausted`
   */
  capture(roomBytes: number): Promise<{ image: DiskImage; bytes: Uint8Array<ArrayBuffer>[] }> {
    return this.#serial.run(async () => {
      const { length, count } = this.#written;
      if (length > BigInt(roomBytes) || count > OVERLAY_RANGES_MAX) {
        throw new Fault(
          "snapshots-exhausted",
          `Cannot snapshot the guest: it has written ${length} bytes in ${count} ranges to its ` +
            `disks, and ${SNAPSHOT_OVERLAY_BYTES_MAX} in ${OVERLAY_RANGES_MAX} can be kept`,
        );
      }
      const ranges: [number, number][] = [];
      const bytes: Uint8Array<ArrayBuffer>[] = [];
      for (const { start, end } of this.#written) {
        const [at, size] = [Number(start), Number(end - start)];
        ranges.push([at, size]);
        for (let done = 0; done < size; done += COPY_BYTES) {
          const part = Math.min(COPY_BYTES, size - done);
          bytes.push(await this.#overlay().read(at + done, part));
        }
      }
      const { sizeBytes, source } = this.#parts;
      return { image: { source, sizeBytes, readOnly: this.shape.readOnly, ranges }, bytes };
    });
  }

  /**
   * Writes what a snapshot holds into the overlay.
   *
   * @param bytes The bytes of all ranges, one after the other
   */
  async restore({ ranges }: DiskImage, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let from = 0;
    for (const [at, size] of ranges) {
      for (let done = 0; done < size; done += COPY_BYTES) {
        const part = Math.min(COPY_BYTES, size - done);
        await this.write(at + done, bytes.slice(from + done, from + done + part));
      }
      from += size;
    }
  }

  /** Releases base and overlay. What was written is gone. */
  close(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      await this.#parts.overlay?.close();
      await this.#parts.base.close();
    });
  }

  #overlay(): DiskFile {
    const { overlay } = this.#parts;
    if (overlay === undefined) throw new SystemError("EROFS", "write", "a read-only disk");
    return overlay;
  }

  #require(at: number, length: number): void {
    if (at >= 0 && length >= 0 && at + length <= this.#parts.sizeBytes) return;
    throw new SystemError("EINVAL", "access", `${length} bytes at ${at} of a disk`);
  }
}
