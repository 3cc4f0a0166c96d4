import { Fault } from "../../core/faults.ts";
import { FILE_OFFSET_MAX } from "../../core/limits.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import { maxFillRange, type Translated, type TranslateRequest } from "../mapping/translation.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { Coalesced } from "../writeback/coalesced.ts";
import { type Baseline, isAsBefore } from "../writeback/dirty_log.ts";
import { CachingInode, type InodeParts } from "./caching_inode.ts";
import type { Editor } from "./editor.ts";
import type { Evicted, InodeHead, PageRun } from "./inode_facts.ts";

/** An inode in mode `host`: every byte goes straight to the backing file. */
export class HostInode extends CachingInode {
  protected readonly residentBytes = 0n;
  protected readonly dirtyBytes = 0n;
  readonly #limitTranslation: boolean;
  readonly #dataSync: Coalesced;
  #baseline: Baseline;
  /** Whether anybody was told where to store, and may do so unseen. */
  #isExposed = false;

  constructor(parts: InodeParts) {
    super(parts);
    this.#limitTranslation = parts.limitTranslation;
    this.#baseline = parts.backing.attributes();
    this.#dataSync = new Coalesced(() => this.#sync());
  }

  get size(): bigint {
    return this.backing.attributes().sizeBytes;
  }

  pages(): readonly PageRun[] {
    return [];
  }

  head(): InodeHead {
    const { inode, sizeBytes: size, modificationTimeNs, statusChangeTimeNs } = this.backing
      .attributes();
    const isStoredInto = this.#isStoredInto();
    const changes = this.versions.current;
    if (changes === undefined || isStoredInto) return { size, etag: undefined };
    // Two writes can fall into one tick of the host's clock, so our own count tells them apart.
    const parts = [changes, inode, size, modificationTimeNs, statusChangeTimeNs]
      .map((part) => part.toString(36));
    return { size, etag: this.tagOf(parts.join("-")) };
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    this.gate.requireOpen();
    if (offset > FILE_OFFSET_MAX) return 0;
    const read = this.backing.readNonblocking(into, offset);
    if (read !== undefined) this.counters.count("hits");
    return read;
  }

  hasInMemory(): boolean {
    return false;
  }

  protected async fetch(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.counters.count("misses");
    return await this.backing.read(into, offset);
  }

  protected async apply(change: (editor: Editor) => Promise<void>): Promise<void> {
    const { backing, times } = this;
    const written = async (step: Promise<void>): Promise<void> => {
      await step;
      times.noteHostWrite();
    };
    try {
      await change({
        write: (bytes, offset) => written(backing.write(bytes, offset)),
        truncate: (size) => written(backing.truncate(size)),
        reserve: (length) => backing.reserve(length),
        allocate: (offset, length) => written(backing.allocate(offset, length)),
        change: async (attributes) => {
          await backing.change(attributes);
          times.override(attributes);
        },
        endConflict: async () => {},
      });
    } finally {
      this.#baseline = backing.attributes();
    }
  }

  protected syncData(): Promise<void> {
    return this.#dataSync.run();
  }

  protected async syncAll(): Promise<void> {
    await this.writeBack();
    await this.syncData();
  }

  /** Brings touched times to the file. An access time alone is left to the host. */
  protected async writeBack(): Promise<void> {
    const { pending } = this.times;
    if (pending?.modificationTimeNs !== undefined) {
      await this.writes.run(() => this.changeNames(() => this.backing.changeTimes(pending)));
    }
    this.times.settle(pending ?? {});
    this.times.settleWrites();
  }

  protected evictRange(): Promise<Evicted> {
    return Promise.resolve({ bytes: 0n, refused: [] });
  }

  revalidate(): Promise<boolean> {
    return this.gate.pass(async () => {
      const before = this.#baseline;
      const { attributes } = await this.backing.look();
      this.#baseline = attributes;
      return !isAsBefore(before, attributes);
    });
  }

  protected async changeNames(change: () => Promise<void>): Promise<void> {
    await change();
    this.#baseline = this.backing.attributes();
  }

  protected async reopenFile(accept: (found: BackingAttributes) => void): Promise<void> {
    await this.backing.reopen(accept);
    this.versions.add();
    this.#baseline = this.backing.attributes();
  }

  protected async dropAll(discard: boolean): Promise<bigint> {
    if (!discard) await this.writeBack();
    else {
      this.backing.unsynced.forget(WHOLE);
      this.lastFailure.clear();
    }
    return 0n;
  }

  /** The host maps whatever it is asked to. An access past the end is between it and the client. */
  protected async translateMapped(
    { required, optional, isWrite }: TranslateRequest,
    holder: string,
    require: () => void,
  ): Promise<Translated> {
    const file = this.backing.file.hostPath;
    if (file === undefined) {
      throw new Fault("not-mapped", `Cannot translate ${this.backing.name}: no host file has it`);
    }
    const { attributes: { device, inode }, isAtPath } = await this.backing.look();
    if (!isAtPath) {
      throw new Fault(
        "backing-changed",
        `Cannot translate ${this.backing.name}: its path leads elsewhere by now, so nobody can ` +
          "map it by that; reopen it",
      );
    }
    require();
    const source = this.#limitTranslation ? maxFillRange(required, optional) : optional;
    this.maps.hold(holder, source);
    this.#isExposed ||= isWrite;
    const identity = { device, inode };
    const permissions = { write: isWrite };
    const translation = { source, file, identity, offset: source.start, permissions };
    return { translations: [translation], busError: undefined };
  }

  protected unmapped(): void {}

  protected closeFiles(): Promise<void> {
    return this.backing.file.close();
  }

  /** Whether somebody may change the content through a mapping now. */
  #isStoredInto(): boolean {
    if (!this.#isExposed || this.maps.hasWritable) return this.#isExposed;
    this.#isExposed = false;
    // What was stored may be anything, and the host need not have given it a time.
    this.versions.add();
    return false;
  }

  async #sync(): Promise<void> {
    try {
      await this.backing.sync();
      this.lastFailure.clear();
    } catch (error) {
      this.lastFailure.note(error);
      throw error;
    }
  }
}
