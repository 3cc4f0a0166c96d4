import { Fault } from "../core/faults.ts";
import type { Range } from "../core/segments.ts";
import { Serial } from "../core/serial.ts";
import type { Backing } from "./backing.ts";
import type { Content, ContentAttributes, Evicted, PageRun } from "./content.ts";
import type { Counters } from "./counters.ts";

/** Content whose cache is the host's own: every byte goes straight to the backing file. */
export class HostContent implements Content {
  readonly residentBytes = 0n;
  readonly dirtyBytes = 0n;
  readonly #backing: Backing;
  readonly #counters: Counters;
  /** Keeps the parts of two writes, of which the host may take each in several, apart. */
  readonly #writes = new Serial();
  #failure: Fault | undefined;

  constructor(backing: Backing, counters: Counters) {
    this.#backing = backing;
    this.#counters = counters;
  }

  get failure(): Fault | undefined {
    return this.#failure;
  }

  get size(): bigint {
    return this.#backing.attributes().sizeBytes;
  }

  get version(): string {
    const { inode, sizeBytes, modificationTimeNs } = this.#backing.attributes();
    return [inode, sizeBytes, modificationTimeNs].map((number) => number.toString(36)).join("-");
  }

  attributes(): ContentAttributes {
    return { ...this.#backing.attributes(), dirty: [] };
  }

  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    const read = this.#backing.readNow(into, offset);
    if (read !== undefined) this.#counters.count("hits");
    return read;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.#counters.count("misses");
    return await this.#backing.read(into, offset);
  }

  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void> {
    return this.#writes.run(() => this.#backing.write(bytes, offset));
  }

  replace(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#writes.run(async () => {
      await this.#backing.write(bytes, 0n);
      await this.#backing.truncate(BigInt(bytes.byteLength));
    });
  }

  async sync(): Promise<void> {
    try {
      await this.#writes.run(() => this.#backing.sync());
      this.#failure = undefined;
    } catch (error) {
      if (error instanceof Fault) this.#failure = error;
      this.#counters.count("errors");
      throw error;
    }
  }

  async writeBack(): Promise<void> {}

  evict(_range: Range): Promise<Evicted> {
    return Promise.resolve({ bytes: 0n, refused: [] });
  }

  async revalidate(): Promise<void> {}

  pages(): readonly PageRun[] {
    return [];
  }

  // deno-lint-ignore require-await -- the other mode waits
  async close(): Promise<void> {
    this.#backing.file.close();
  }
}
