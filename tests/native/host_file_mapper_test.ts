import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { HostFileMapper } from "../../src/native/host_file_mapper.ts";
import { CHUNK_BYTES, PAGE_BYTES } from "../../src/core/limits.ts";
import type { Range } from "../../src/core/segments.ts";
import { testSeed } from "../support/random.ts";

const PAGES = CHUNK_BYTES / PAGE_BYTES;
const pages = (from: number, to: number): Range => ({
  start: BigInt(from * PAGE_BYTES),
  end: BigInt(to * PAGE_BYTES),
});

/** Memory in which chunks are mapped at addresses that tell them apart. */
class Memory {
  readonly log: string[] = [];
  readonly mapped = new Map<bigint, bigint>();
  failsAt: bigint | undefined;
  #next = 0x1000_0000n;

  map(offset: bigint, isWritable: boolean, at: bigint | undefined): bigint {
    if (offset === this.failsAt) throw new Error("mmap");
    const address = at ?? (this.#next += BigInt(CHUNK_BYTES));
    this.mapped.set(address, offset);
    this.log.push(
      `${at === undefined ? "map" : "again"} ${offset / BigInt(CHUNK_BYTES)} ` +
        (isWritable ? "rw" : "r"),
    );
    return address;
  }

  unmap(address: bigint): void {
    this.log.push(`unmap ${(this.mapped.get(address) ?? 0n) / BigInt(CHUNK_BYTES)}`);
    this.mapped.delete(address);
  }
}

Deno.test("HostFileMapper maps a chunk once, raises it to writable at its place, never lowers it", () => {
  const memory = new Memory();
  const mapper = new HostFileMapper(memory);
  const [read] = mapper.mapInternal(pages(1, 2), false);
  const [write] = mapper.mapInternal(pages(1, 2), true);
  const [again] = mapper.mapInternal(pages(1, 2), false);
  assertEquals([read, write], [write, again]);
  assertEquals(memory.log, ["map 0 r", "again 0 rw"]);
});

Deno.test("HostFileMapper.mapInternal() gives a block for each chunk, trimmed to the range (case 32)", () => {
  const mapper = new HostFileMapper(new Memory());
  const blocks = [...mapper.mapInternal(pages(PAGES - 1, 2 * PAGES + 1), false)];
  assertEquals(blocks.map(({ bytes }) => bytes / PAGE_BYTES), [1, PAGES, 1]);
  assertEquals(blocks.map(({ address }) => Number(address % BigInt(CHUNK_BYTES)) / PAGE_BYTES), [
    PAGES - 1,
    0,
    0,
  ]);
  const far = { start: (1n << 62n) - 4096n, end: (1n << 62n) + 4096n };
  assertEquals([...mapper.mapInternal(far, false)].length, 2);
});

Deno.test("HostFileMapper.decRefOn() unmaps a chunk with its last reference, and refuses too many", () => {
  const memory = new Memory();
  const mapper = new HostFileMapper(memory);
  mapper.incRefOn(pages(0, 2));
  mapper.incRefOn(pages(1, 3));
  [...mapper.mapInternal(pages(0, 1), false)];
  mapper.decRefOn(pages(0, 3));
  assertEquals(memory.log, ["map 0 r"]);
  assertThrows(() => mapper.decRefOn(pages(0, 2)), RangeError);
  mapper.decRefOn(pages(1, 2));
  assertEquals(memory.log, ["map 0 r", "unmap 0"]);
  assertEquals(mapper.chunks, 0);
  assertThrows(() => mapper.decRefOn(pages(0, 1)), RangeError);
});

Deno.test("HostFileMapper.regenerate() maps all chunks anew at their places, up to one that fails (cases 16 and 17)", () => {
  const memory = new Memory();
  const mapper = new HostFileMapper(memory);
  [...mapper.mapInternal(pages(0, 3 * PAGES), true)];
  memory.log.length = 0;
  mapper.regenerate();
  assertEquals(memory.log, ["again 0 rw", "again 1 rw", "again 2 rw"]);
  memory.failsAt = BigInt(CHUNK_BYTES);
  memory.log.length = 0;
  assertThrows(() => mapper.regenerate(), Error, "mmap");
  assertEquals(memory.log, ["again 0 rw"]);
  memory.failsAt = undefined;
  mapper.unmapAll();
  assertEquals(memory.mapped.size, 0);
});

Deno.test("HostFileMapper agrees with a naive count of pages over any calls", () => {
  const step = fc.tuple(fc.boolean(), fc.nat(4 * PAGES), fc.nat(4 * PAGES));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const memory = new Memory();
      const mapper = new HostFileMapper(memory);
      const counts = new Array<number>(4).fill(0);
      for (const [isInc, a, b] of steps) {
        const range = pages(Math.min(a, b), Math.max(a, b));
        const inChunk = counts.map((_, chunk) => {
          const start = Math.max(Math.min(a, b), chunk * PAGES);
          return Math.max(0, Math.min(Math.max(a, b), (chunk + 1) * PAGES) - start);
        });
        if (isInc) {
          mapper.incRefOn(range);
          [...mapper.mapInternal(range, true)];
          inChunk.forEach((pages, chunk) => counts[chunk] = (counts[chunk] ?? 0) + pages);
        } else if (inChunk.some((pages, chunk) => pages > (counts[chunk] ?? 0))) {
          assertThrows(() => mapper.decRefOn(range), RangeError);
        } else {
          mapper.decRefOn(range);
          inChunk.forEach((pages, chunk) => counts[chunk] = (counts[chunk] ?? 0) - pages);
        }
        assertEquals(memory.mapped.size, counts.filter((count) => count > 0).length);
      }
    }),
    { seed: testSeed() },
  );
});
