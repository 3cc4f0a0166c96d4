import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Range } from "../../../src/core/segments.ts";
import { FrameRefs } from "../../../src/inodes/mapping/frame_refs.ts";
import { type Mapping, MappingSet } from "../../../src/inodes/mapping/mapping_set.ts";
import { testSeed } from "../../support/random.ts";

const PLACES = 16;
const range = (start: number, end: number): Range => ({ start: BigInt(start), end: BigInt(end) });
const cellsOf = (ranges: readonly Range[]) =>
  ranges.flatMap(({ start, end }) =>
    [...Array(Number(end - start)).keys()].map((at) => at + Number(start))
  );

Deno.test("MappingSet joins ranges whose mappings go on in one another, and only those", () => {
  const set = new MappingSet();
  const mapping = (start: number, end: number, delta: number): Mapping => ({
    space: "a",
    address: BigInt(start + delta),
    range: range(start, end),
    isWritable: false,
  });
  set.add(mapping(0, 2, 100));
  set.add(mapping(2, 4, 100));
  assertEquals(set.count, 1);
  set.add(mapping(4, 6, 200));
  assertEquals(set.count, 2);
  assertEquals(set.within().map(({ address, range }) => [address, range.end]), [[100n, 4n], [
    204n,
    6n,
  ]]);
});

Deno.test("MappingSet agrees with a naive list of mappings of each place over any calls", () => {
  const step = fc.tuple(
    fc.boolean(),
    fc.nat(PLACES),
    fc.nat(PLACES),
    fc.constantFrom("a", "b"),
    fc.constantFrom(0, 64),
    fc.boolean(),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const set = new MappingSet();
      const places = Array.from({ length: PLACES }, () => new Set<string>());
      for (const [isAdd, a, b, space, delta, isWritable] of steps) {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        if (from === to) continue;
        const mapping = {
          space,
          address: BigInt(from + delta),
          range: range(from, to),
          isWritable,
        };
        const key = `${space} ${delta} ${isWritable}`;
        const before = places.map(({ size }) => size > 0);
        const inside = [...Array(to - from).keys()].map((at) => at + from);
        for (const at of inside) {
          if (isAdd) places[at]?.add(key);
          else places[at]?.delete(key);
        }
        const after = places.map(({ size }) => size > 0);
        const most = set.countWith(mapping.range);
        const listed = isAdd ? set.add(mapping) : set.remove(mapping);
        assertEquals(set.count, countOf(places));
        if (isAdd) assert(set.count <= most, `${set.count} of ${most}`);
        assertEquals(cellsOf(listed), inside.filter((at) => before[at] !== after[at]));
      }
      assertEquals(cellsOf(set.mappedWithin(range(0, PLACES))), cellsOfPlaces(places));
      assertEquals(Number(set.length), cellsOfPlaces(places).length);
      const listed = Array.from({ length: PLACES }, () => new Set<string>());
      for (const { space, address, range, isWritable } of set.within()) {
        for (const at of cellsOf([range])) {
          listed[at]?.add(`${space} ${address - range.start} ${isWritable}`);
        }
      }
      assertEquals(listed, places);
      for (let at = 0; at < PLACES; at++) {
        const one = range(at, at + 1);
        assertEquals(set.covers(one, false), (places[at]?.size ?? 0) > 0);
        assertEquals(
          set.covers(one, true),
          [...places[at] ?? []].some((key) => key.endsWith("true")),
        );
      }
    }),
    { seed: testSeed() },
  );
});

/** Each place that is mapped otherwise than the one before it begins a run. */
function countOf(places: readonly Set<string>[]): number {
  return places
    .filter((place, at) => at === 0 || place.symmetricDifference(places[at - 1] ?? place).size > 0)
    .reduce((sum, { size }) => sum + size, 0);
}

function cellsOfPlaces(places: readonly Set<string>[]): number[] {
  return [...places.keys()].filter((at) => (places[at]?.size ?? 0) > 0);
}

Deno.test("FrameRefs agrees with a naive array of counts, and lets go only from a referenced page on", () => {
  const step = fc.tuple(fc.boolean(), fc.nat(PLACES), fc.nat(PLACES));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const refs = new FrameRefs();
      const counts = new Array<number>(PLACES).fill(0);
      for (const [isInc, a, b] of steps) {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        if (from === to) continue;
        if (isInc) refs.incRef(range(from, to));
        else refs.decRef(range(from, to));
        const isLetGo = !isInc && (counts[from] ?? 0) > 0;
        for (let at = from; at < to; at++) {
          if (isInc) counts[at] = (counts[at] ?? 0) + 1;
          else if (isLetGo) counts[at] = Math.max(0, (counts[at] ?? 0) - 1);
        }
      }
      const found = new Array<number>(PLACES).fill(0);
      for (const part of refs.within()) for (const at of cellsOf([part])) found[at] = part.value;
      assertEquals(found, counts);
      assertEquals(Number(refs.length), counts.filter((count) => count > 0).length);
    }),
    { seed: testSeed() },
  );
});
