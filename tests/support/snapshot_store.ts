import type { SnapshotStore } from "../../src/core/ports/snapshot_store.ts";
import type { SystemError } from "../../src/core/system_error.ts";

/** Snapshots in memory. It can be told to fail, as a full disk would. */
export class MemorySnapshots implements SnapshotStore {
  readonly kept = new Map<string, Uint8Array<ArrayBuffer>>();
  failing: SystemError | undefined;

  async put(id: string, bytes: Uint8Array): Promise<void> {
    await this.#turn();
    this.kept.set(id, bytes.slice());
  }

  async ids(): Promise<readonly string[]> {
    await this.#turn();
    return [...this.kept.keys()].sort();
  }

  async size(id: string): Promise<number | undefined> {
    await this.#turn();
    return this.kept.get(id)?.length;
  }

  async read(id: string, length?: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    await this.#turn();
    return this.kept.get(id)?.slice(0, length);
  }

  async delete(id: string): Promise<boolean> {
    await this.#turn();
    return this.kept.delete(id);
  }

  async #turn(): Promise<void> {
    await Promise.resolve();
    if (this.failing !== undefined) throw this.failing;
  }
}
