import type { SnapshotFile, SnapshotStore } from "../../src/core/ports/snapshot_store.ts";
import type { SystemError } from "../../src/core/system_error.ts";

/** A snapshot in memory that is open. */
export class MemorySnapshotFile implements SnapshotFile {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** How many of its bytes were read. */
  readBytes = 0;
  isClosed = false;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  async read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    await Promise.resolve();
    const bytes = this.#bytes.slice(this.readBytes, this.readBytes + length);
    this.readBytes += bytes.length;
    return bytes;
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
  }
}

/** Snapshots in memory. It can be told to fail, as a full disk would. */
export class MemorySnapshots implements SnapshotStore {
  readonly stored = new Map<string, Uint8Array<ArrayBuffer>>();
  failing: SystemError | undefined;

  async put(id: string, bytes: Uint8Array): Promise<void> {
    await this.#turn();
    this.stored.set(id, bytes.slice());
  }

  async ids(): Promise<readonly string[]> {
    await this.#turn();
    return [...this.stored.keys()].sort();
  }

  async open(id: string): Promise<SnapshotFile | undefined> {
    await this.#turn();
    const bytes = this.stored.get(id);
    return bytes === undefined ? undefined : new MemorySnapshotFile(bytes);
  }

  async delete(id: string): Promise<boolean> {
    await this.#turn();
    return this.stored.delete(id);
  }

  async #turn(): Promise<void> {
    await Promise.resolve();
    if (this.failing !== undefined) throw this.failing;
  }
}
