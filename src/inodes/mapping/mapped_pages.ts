import { Fault } from "../../core/faults.ts";
import { CHUNK_BYTES, MAPPINGS_PER_INODE_MAX, PAGE_BYTES } from "../../core/limits.ts";
import { maxOf, type Range, Segments } from "../../core/segments.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { FrameRefs } from "./frame_refs.ts";
import { type Mapping, MappingSet } from "./mapping_set.ts";

const PAGE = BigInt(PAGE_BYTES);
const CHUNK = BigInt(CHUNK_BYTES);
/** Where a mapped range may end: the largest file, rounded up to a page. */
const MAPPED_END_MAX = 1n << 63n;
const ADDRESS_END_MAX = 1n << 64n;

/**
 * What others have mapped of an inode. Pages that they may touch at any time stay in the cache
 * (gVisor's `mappings`, `refs` and `hostFileMapper` of an inode).
 */
export class MappedPages {
  readonly #mappings = new MappingSet();
  readonly #refs = new FrameRefs();
  /** What was translated for each holder. */
  readonly #translated = new Map<string, Segments<true>>();

  /** Bytes that some mapping has. */
  get mappedBytes(): bigint {
    return this.#mappings.length;
  }

  /** Bytes that a translation or a reference keeps in the cache. */
  get referencedBytes(): bigint {
    return this.#refs.length;
  }

  /**
   * Chunks of 2 MiB with a mapped page. They are only counted, because a mapping may be as long as
   * the largest file.
   */
  get chunks(): number {
    let count = 0n;
    let counted = 0n;
    for (const { start, end } of this.#mappings.mappedWithin(WHOLE)) {
      const first = maxOf(start / CHUNK, counted);
      counted = (end + CHUNK - 1n) / CHUNK;
      count += counted - first;
    }
    return Number(count);
  }

  /** Whether somebody may store through a mapping. */
  get hasWritable(): boolean {
    return this.list().some(({ isWritable }) => isWritable);
  }

  list(): Mapping[] {
    return this.#mappings.within();
  }

  /**
   * Adds a mapping.
   *
   * @returns The ranges that no mapping had before
   * @throws {Fault} `value-not-allowed`, `mappings-exhausted`
   */
  add(mapping: Mapping): Range[] {
    requireMapping(mapping);
    if (this.#mappings.countWith(mapping.range) > MAPPINGS_PER_INODE_MAX) {
      throw new Fault(
        "mappings-exhausted",
        `Cannot map more of the inode: it has nearly ${MAPPINGS_PER_INODE_MAX} mappings, runs of ` +
          "each counted; remove some",
      );
    }
    return this.#mappings.add(mapping);
  }

  /**
   * Adds what a mapping maps at another address as well.
   *
   * @throws {Fault} `mapping-not-found`, and as {@linkcode add}
   */
  copy(source: Mapping, address: bigint): Range[] {
    this.#requireThere(source);
    return this.add({ ...source, address });
  }

  /**
   * Removes a mapping or a part of one. Translations of what no mapping has any more end.
   *
   * @returns The ranges that no mapping has any more
   * @throws {Fault} `value-not-allowed`, `mapping-not-found`
   */
  remove(mapping: Mapping): Range[] {
    this.#requireThere(mapping);
    return this.#remove(mapping);
  }

  /** Removes all mappings of a space. Returns the ranges that no mapping has any more. */
  removeSpace(space: string): Range[] {
    return this.list().filter((mapping) => mapping.space === space)
      .flatMap((mapping) => this.#remove(mapping));
  }

  /**
   * Refuses a range that is not mapped for the wanted use.
   *
   * @throws {Fault} `value-not-allowed`, `not-mapped`
   */
  requireMapped(range: Range, isWrite: boolean): void {
    requirePages(range, "translate");
    if (this.#mappings.covers(range, isWrite)) return;
    throw new Fault(
      "not-mapped",
      `Cannot translate ${range.start}-${range.end}: not all of it is mapped` +
        `${isWrite ? " for writing" : ""}; add a mapping first`,
    );
  }

  /** The mapped run around a range, within bounds. */
  mappedAround(range: Range, bounds: Range, isWrite: boolean): Range {
    return this.#mappings.mappedAround(range, bounds, isWrite);
  }

  /** References what was translated, until its mapping or the holder ends. */
  hold(holder: string, range: Range): void {
    const held = this.#translated.get(holder) ?? new Segments<true>();
    this.#translated.set(holder, held);
    const fresh = new Segments<true>();
    fresh.set(range, true);
    for (const part of held.within(range)) fresh.clear(part);
    for (const part of fresh) this.#refs.incRef(part);
    held.set(range, true);
  }

  /** Ends the translations of a holder. */
  endHolder(holder: string): void {
    for (const part of this.#translated.get(holder) ?? []) this.#refs.decRef(part);
    this.#translated.delete(holder);
  }

  /** Ends all translations of a range. Returns the mappings that they belonged to. */
  invalidate(range: Range): Mapping[] {
    for (const held of this.#translated.values()) {
      for (const part of held.within(range)) this.#refs.decRef(part);
      held.clear(range);
    }
    return this.#mappings.within(range);
  }

  /** @throws {Fault} `value-not-allowed` */
  incRef(range: Range): void {
    requirePages(range, "reference");
    this.#refs.incRef(range);
  }

  /** @throws {Fault} `value-not-allowed`, `reference-not-found` */
  decRef(range: Range): void {
    requirePages(range, "release");
    if (!this.#refs.covers(range)) {
      throw new Fault(
        "reference-not-found",
        `Cannot release ${range.start}-${range.end}: not every page of it is referenced`,
      );
    }
    this.#refs.decRef(range);
  }

  /** The parts of a range that must stay in the cache, and why. */
  unevictableWithin(range: Range): { readonly range: Range; readonly why: string }[] {
    const why = new Segments<string>();
    for (const part of this.#refs.within(range)) why.set(part, "it is referenced");
    for (const part of this.#mappings.mappedWithin(range)) why.set(part, "it is mapped");
    return [...why].map(({ start, end, value }) => ({ range: { start, end }, why: value }));
  }

  /** @throws {Fault} `inode-mapped` when anything is mapped */
  requireUnmapped(id: string): void {
    if (this.#mappings.isEmpty) return;
    const spaces = [...new Set(this.list().map(({ space }) => space))];
    throw new Fault(
      "inode-mapped",
      `Cannot close inode ${id}: ${this.mappedBytes} bytes of it are mapped; remove the mappings`,
      { members: { spaces: spaces.slice(0, 100), mappedBytes: String(this.mappedBytes) } },
    );
  }

  #remove(mapping: Mapping): Range[] {
    const gone = this.#mappings.remove(mapping);
    for (const range of gone) this.invalidate(range);
    return gone;
  }

  #requireThere(mapping: Mapping): void {
    requireMapping(mapping);
    if (this.#mappings.has(mapping)) return;
    const { space, address, range } = mapping;
    throw new Fault(
      "mapping-not-found",
      `Cannot find a mapping of ${range.start}-${range.end} at ${address} in "${space}" that is ` +
        `${mapping.isWritable ? "writable" : "read-only"}`,
    );
  }
}

/**
 * Refuses a range that is not whole pages of a file.
 *
 * @throws {Fault} `value-not-allowed`
 */
function requirePages({ start, end }: Range, action: string): void {
  const isAligned = start % PAGE === 0n && end % PAGE === 0n;
  if (isAligned && start < end && end <= MAPPED_END_MAX) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot ${action} ${start}-${end}: it must be some whole pages of ${PAGE_BYTES} bytes that ` +
      `end at 2^63 at the latest`,
  );
}

function requireMapping({ address, range }: Mapping): void {
  requirePages(range, "map");
  if (address % PAGE === 0n && address + range.end - range.start <= ADDRESS_END_MAX) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot map at address ${address}: it must be a multiple of ${PAGE_BYTES}, and the mapping ` +
      `must end at 2^64 at the latest`,
  );
}
