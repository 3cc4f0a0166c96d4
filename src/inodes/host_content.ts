import { Fault } from "../core/faults.ts";
import { FILE_OFFSET_MAX } from "../core/limits.ts";
import type { Range } from "../core/segments.ts";
import { Serial } from "../core/serial.ts";
import type { Backing } from "./backing.ts";
import { ChangeCount } from "./change_count.ts";
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
  readonly #changes = new ChangeCount();
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

  get version(): string | undefined {
    const changes = this.#changes.current;
    if (changes === undefined) return undefined;
    // Two writes can fall into one tick of the host's clock: they are told apart by our count.
    const { sizeBytes, modificationTimeNs } = this.#backing.attributes();
    return [changes, sizeBytes, modificationTimeNs].map((part) => part.toString(36)).join("-");
  }

  attributes(): ContentAttributes {
    return { ...this.#backing.attributes(), dirty: [] };
  }

  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    if (offset > FILE_OFFSET_MAX) return 0;
    const read = this.#backing.readNow(into, offset);
    if (read !== undefined) this.#counters.count("hits");
    return read;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.#counters.count("misses");
    return await this.#backing.read(into, offset);
  }

  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void> {
    return this.#writes.run(() => this.#changes.during(() => this.#backing.write(bytes, offset)));
  }

  replace(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#writes.run(() =>
      this.#changes.during(async () => {
        await this.#backing.write(bytes, 0n);
        await this.#backing.truncate(BigInt(bytes.byteLength));
      })
    );
  }

  async sync(): Promise<void> {
    try {
      await this.#backing.sync();
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
