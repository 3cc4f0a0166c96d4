import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { DirtySet, WHOLE } from "../../../src/inodes/ranges/dirty_set.ts";
import type { Range } from "../../../src/core/segments.ts";
import { testSeed } from "../../support/random.ts";

const range = (start: number, end: number): Range => ({ start: BigInt(start), end: BigInt(end) });
const shown = (dirty: DirtySet) =>
  dirty.within(WHOLE).map(({ start, end, value }) =>
    `${start}-${end}${value.isPinned ? " pinned" : ""}`
  );

Deno.test("DirtySet.markDirty() never clears what is pinned", () => {
  const dirty = new DirtySet();
  dirty.keepDirty(range(2, 4));
  dirty.markDirty(range(0, 6));
  assertEquals(shown(dirty), ["0-2", "2-4 pinned", "4-6"]);
});

Deno.test("DirtySet.keepDirty() fills gaps and raises what is dirty", () => {
  const dirty = new DirtySet();
  dirty.markDirty(range(0, 3));
  dirty.keepDirty(range(2, 5));
  assertEquals(shown(dirty), ["0-2", "2-5 pinned"]);
});

Deno.test("DirtySet.markClean() leaves what is pinned, and what a later epoch made dirty", () => {
  const dirty = new DirtySet();
  dirty.markDirty(range(0, 10));
  dirty.keepDirty(range(4, 6));
  const epoch = dirty.closeEpoch();
  dirty.markDirty(range(8, 12));
  assertEquals(dirty.markClean(WHOLE, epoch), [range(0, 4), range(6, 8)]);
  assertEquals(shown(dirty), ["4-6 pinned", "8-12"]);
});

Deno.test("DirtySet.allowClean() unpins and cleans nothing", () => {
  const dirty = new DirtySet();
  dirty.keepDirty(range(0, 4));
  const epoch = dirty.closeEpoch();
  dirty.allowClean(range(0, 2));
  assertEquals(shown(dirty), ["0-2", "2-4 pinned"]);
  // It could be changed through the mapping up to now: an older write-back must not clean it.
  assertEquals(dirty.markClean(WHOLE, epoch), []);
  assertEquals(dirty.markClean(WHOLE), [range(0, 2)]);
});

Deno.test("DirtySet.keepClean() cleans all", () => {
  const dirty = new DirtySet();
  dirty.keepDirty(range(0, 4));
  dirty.markDirty(range(4, 8));
  dirty.keepClean(range(1, 6));
  assertEquals(shown(dirty), ["0-1 pinned", "6-8"]);
});

Deno.test("DirtySet agrees with a naive byte array over any calls", () => {
  const CALLS = ["markDirty", "keepDirty", "markClean", "keepClean", "allowClean"] as const;
  const step = fc.tuple(fc.constantFrom(...CALLS), fc.nat(20), fc.nat(20));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const dirty = new DirtySet();
      const cells = new Array<"clean" | "dirty" | "pinned">(20).fill("clean");
      for (const [call, a, b] of steps) {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        dirty[call](range(from, to));
        for (let at = from; at < to; at++) {
          const cell = cells[at];
          if (call === "markDirty" && cell === "clean") cells[at] = "dirty";
          if (call === "keepDirty") cells[at] = "pinned";
          if (call === "markClean" && cell === "dirty") cells[at] = "clean";
          if (call === "keepClean") cells[at] = "clean";
          if (call === "allowClean" && cell === "pinned") cells[at] = "dirty";
        }
      }
      const states = cells.map((_, at) => {
        const state = dirty.within(range(at, at + 1))[0]?.value;
        return state === undefined ? "clean" : state.isPinned ? "pinned" : "dirty";
      });
      assertEquals(states, cells);
    }),
    { seed: testSeed() },
  );
});
