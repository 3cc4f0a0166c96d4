import { CHUNK_BYTES, PAGE_BYTES } from "../core/limits.ts";
import { minOf, type Range } from "../core/segments.ts";

/** Maps chunks of a file into memory. Offsets and lengths are whole chunks. */
interface ChunkMemory {
  /**
   * Maps the chunk at an offset of the file.
   *
   * @param at Address to map it at, replacing the mapping there; any address when `undefined`
   * @returns Its address
   * @throws {SystemError}
   */
  map(offset: bigint, isWritable: boolean, at: bigint | undefined): bigint;
  unmap(address: bigint): void;
}

/** Memory that shows a part of a file. */
interface MappedBlock {
  readonly address: bigint;
  readonly bytes: number;
}

interface Chunk {
  /** References to its pages, all together. */
  pages: number;
  address: bigint | undefined;
  isWritable: boolean;
}

const CHUNK = BigInt(CHUNK_BYTES);
/** For shifts, which cost half as much as divisions. */
const CHUNK_BITS = BigInt(Math.log2(CHUNK_BYTES));

/**
 * The mapped chunks of a file, with the references to their pages. A chunk is mapped when one of
 * its pages is first needed, and unmapped with the last reference to any of its pages (gVisor's
 * `HostFileMapper`).
 */
export class HostFileMapper {
  readonly #memory: ChunkMemory;
  readonly #chunks = new Map<number, Chunk>();

  constructor(memory: ChunkMemory) {
    this.#memory = memory;
  }

  /** How many chunks are referenced. */
  get chunks(): number {
    return this.#chunks.size;
  }

  /** Counts one reference to each page of a range of whole pages. */
  incRefOn(range: Range): void {
    for (const [index, pages] of pagesByChunk(range)) this.#chunkAt(index).pages += pages;
  }

  /**
   * Removes one reference from each page of a range.
   *
   * @throws {RangeError} when there are too few; then nothing has changed
   */
  decRefOn(range: Range): void {
    for (const [index, pages] of pagesByChunk(range)) {
      const left = this.#chunks.get(index)?.pages ?? 0;
      if (left < pages) {
        throw new RangeError(`Cannot release ${pages} pages of chunk ${index}: ${left} are in use`);
      }
    }
    for (const [index, pages] of pagesByChunk(range)) {
      const chunk = this.#chunkAt(index);
      chunk.pages -= pages;
      if (chunk.pages > 0) continue;
      this.#chunks.delete(index);
      if (chunk.address !== undefined) this.#memory.unmap(chunk.address);
    }
  }

  /**
   * Where a range of the file is in memory. Chunks are mapped as they are needed. For writing, a
   * read-only chunk is mapped again at the same address; a writable one never becomes read-only.
   *
   * @throws {SystemError} when a chunk cannot be mapped; those before it stay mapped
   */
  *mapInternal(range: Range, isWrite: boolean): Generator<MappedBlock> {
    for (let at = range.start; at < range.end;) {
      const end = minOf(range.end, at - at % CHUNK + CHUNK);
      yield { address: this.addressOf(at, isWrite), bytes: Number(end - at) };
      at = end;
    }
  }

  /**
   * Where one byte of the file is in memory. The rest of its chunk lies around it.
   *
   * @throws {SystemError} when its chunk cannot be mapped
   */
  addressOf(offset: bigint, isWrite: boolean): bigint {
    return this.#addressOf(Number(offset >> CHUNK_BITS), isWrite) + (offset & (CHUNK - 1n));
  }

  /** Maps all chunks again at their addresses, after another file took the place of theirs. */
  regenerate(): void {
    for (const [index, { address, isWritable }] of this.#chunks) {
      if (address !== undefined) this.#memory.map(BigInt(index) * CHUNK, isWritable, address);
    }
  }

  /** Unmaps everything. References stay. */
  unmapAll(): void {
    for (const chunk of this.#chunks.values()) {
      if (chunk.address !== undefined) this.#memory.unmap(chunk.address);
      chunk.address = undefined;
    }
  }

  /** The address of the first byte of a chunk. */
  #addressOf(index: number, isWrite: boolean): bigint {
    const chunk = this.#chunkAt(index);
    if (chunk.address === undefined || isWrite && !chunk.isWritable) {
      chunk.address = this.#memory.map(BigInt(index) * CHUNK, isWrite, chunk.address);
      chunk.isWritable = isWrite;
    }
    return chunk.address;
  }

  #chunkAt(index: number): Chunk {
    const known = this.#chunks.get(index);
    if (known !== undefined) return known;
    const chunk: Chunk = { pages: 0, address: undefined, isWritable: false };
    this.#chunks.set(index, chunk);
    return chunk;
  }
}

function* pagesByChunk({ start, end }: Range): Generator<[index: number, pages: number]> {
  for (let at = start; at < end;) {
    const next = minOf(end, at - at % CHUNK + CHUNK);
    yield [Number(at / CHUNK), Number(next - at) / PAGE_BYTES];
    at = next;
  }
}
