import { Coalesced } from "../writeback/coalesced.ts";
import { Fault } from "../../core/faults.ts";
import { FILE_OFFSET_MAX } from "../../core/limits.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Range } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import type { Backing } from "../backing/backing.ts";
import { ChangeCount } from "./change_count.ts";
import type {
  Content,
  ContentAttributes,
  ContentHead,
  EditOptions,
  Editor,
  Evicted,
  PageRun,
} from "./content.ts";
import type { Counters } from "../cache/counters.ts";
import { type Baseline, isAsBefore } from "../writeback/dirty_log.ts";
import { LastFailure } from "../writeback/last_failure.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { type TimeName, TouchedTimes } from "../writeback/touched_times.ts";
import { maxFillRange, type Translated, type TranslateRequest } from "../mapping/translation.ts";

/** What content in the host's cache is put together from. */
interface HostContentParts {
  readonly backing: Backing;
  readonly counters: Counters;
  readonly clock: Clock;
  /** Whether a translation covers no more than one fill window (gVisor's limitHostFDTranslation). */
  readonly limitTranslation: boolean;
  /** Called for a failure of a sync of another kind than the one before. */
  readonly onFailure: (fault: Fault) => void;
}

/** Content whose cache is the host's own: every byte goes straight to the backing file. */
export class HostContent implements Content {
  readonly residentBytes = 0n;
  readonly dirtyBytes = 0n;
  readonly backing: Backing;
  readonly #parts: HostContentParts;
  readonly #counters: Counters;
  /** One write at a time, because the host may take each of them in several parts. */
  readonly #writes = new Serial();
  readonly #changes = new ChangeCount();
  readonly #times = new TouchedTimes();
  readonly #dataSync: Coalesced;
  #baseline: Baseline;
  readonly #failure: LastFailure;

  constructor(parts: HostContentParts) {
    this.backing = parts.backing;
    this.#parts = parts;
    this.#counters = parts.counters;
    this.#baseline = parts.backing.attributes();
    this.#failure = new LastFailure(parts.counters, parts.onFailure);
    this.#dataSync = new Coalesced(() => this.#sync());
  }

  get failure(): Fault | undefined {
    return this.#failure.fault;
  }

  get size(): bigint {
    return this.backing.attributes().sizeBytes;
  }

  head(): ContentHead {
    const { sizeBytes: size, modificationTimeNs } = this.backing.attributes();
    const changes = this.#changes.current;
    if (changes === undefined) return { size, version: undefined };
    // Two writes can fall into one tick of the host's clock, so our own count tells them apart.
    const parts = [changes, size, modificationTimeNs].map((part) => part.toString(36));
    return { size, version: parts.join("-") };
  }

  attributes(): ContentAttributes {
    return { ...this.#times.over(this.backing.attributes()), dirty: this.#times.names };
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    if (offset > FILE_OFFSET_MAX) return 0;
    const read = this.backing.readNonblocking(into, offset);
    if (read !== undefined) this.#counters.count("hits");
    return read;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.#counters.count("misses");
    return await this.backing.read(into, offset);
  }

  edit(
    change: (editor: Editor) => Promise<void>,
    { require, isDurable = false }: EditOptions = {},
  ): Promise<void> {
    const { backing } = this;
    const written = async (step: Promise<void>): Promise<void> => {
      await step;
      this.#times.noteHostWrite();
    };
    const editor: Editor = {
      write: (bytes, offset) => written(backing.write(bytes, offset)),
      truncate: (size) => written(backing.truncate(size)),
      allocate: (offset, length) => written(backing.allocate(offset, length)),
      change: async (attributes) => {
        await backing.change(attributes);
        this.#times.override(attributes);
      },
      endConflict: async () => {},
    };
    const done = this.#writes.run(() => {
      require?.();
      return this.#changes.during(async () => {
        try {
          await change(editor);
        } finally {
          this.#baseline = backing.attributes();
        }
      });
    });
    return isDurable ? done.then(() => this.#dataSync.run()) : done;
  }

  touch(names: readonly TimeName[]): void {
    this.#times.touch(names, this.#parts.clock.wallNs());
  }

  async sync(): Promise<void> {
    await this.writeBack();
    await this.#dataSync.run();
  }

  /** Brings touched times to the file. The host keeps an access time alone, as in gVisor. */
  async writeBack(): Promise<void> {
    const { pending } = this.#times;
    if (pending?.modificationTimeNs !== undefined) {
      await this.edit((editor) => editor.change(pending));
    }
    this.#times.settle(pending ?? {});
    this.#times.settleWrites();
  }

  evict(_range: Range): Promise<Evicted> {
    return Promise.resolve({ bytes: 0n, refused: [] });
  }

  async revalidate(): Promise<boolean> {
    const before = this.#baseline;
    const { attributes } = await this.backing.look();
    this.#baseline = attributes;
    return !isAsBefore(before, attributes);
  }

  reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    return this.#writes.run(async () => {
      await this.backing.reopen(accept);
      this.#changes.add();
      this.#baseline = this.backing.attributes();
    });
  }

  async invalidate(discard: boolean): Promise<bigint> {
    if (!discard) await this.writeBack();
    else {
      this.backing.forgetLost(WHOLE);
      this.#failure.clear();
    }
    return 0n;
  }

  /** Names the host's own file: what an access past its end does is up to the host. */
  translate({ required, optional, isWrite }: TranslateRequest): Promise<Translated> {
    const source = this.#parts.limitTranslation ? maxFillRange(required, optional) : optional;
    const file = this.backing.file.hostPath;
    if (file === undefined) {
      throw new Fault("not-mapped", `Cannot translate ${this.backing.name}: no host file has it`);
    }
    const translation = { source, file, offset: source.start, permissions: { write: isWrite } };
    return Promise.resolve({ translations: [translation], busError: undefined });
  }

  unmapped(): void {}

  pages(): readonly PageRun[] {
    return [];
  }

  close(): Promise<void> {
    this.backing.file.close();
    return Promise.resolve();
  }

  async #sync(): Promise<void> {
    try {
      await this.backing.sync();
      this.#failure.clear();
    } catch (error) {
      this.#failure.note(error);
      throw error;
    }
  }
}
