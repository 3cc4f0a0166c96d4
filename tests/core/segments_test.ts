import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Range, Segments } from "../../src/core/segments.ts";
import { testSeed } from "../support/random.ts";

const SPACE = 48;
const BASE = (1n << 62n) - 24n;

/** A change of a range: add one to what is there, set, clear, or clear only the odd ones. */
const CHANGES: Record<string, (value: number | undefined) => number | undefined> = {
  add: (value) => (value ?? 0) + 1,
  set: () => 7,
  clear: () => undefined,
  clearOdd: (value) => (value ?? 0) % 2 === 1 ? undefined : value,
};

const rangeOf = fc.tuple(fc.nat(SPACE), fc.nat(SPACE)).map(([a, b]) => ({
  from: Math.min(a, b),
  to: Math.max(a, b),
}));
const scripts = fc.array(fc.tuple(rangeOf, fc.constantFrom(...Object.keys(CHANGES))), {
  maxLength: 40,
});

function bytesAs(from: number, to: number): Range {
  return { start: BASE + BigInt(from), end: BASE + BigInt(to) };
}

/** The same set as a naive array of one value per offset. */
function runsOf(cells: readonly (number | undefined)[]): unknown[] {
  const runs: { start: bigint; end: bigint; value: number }[] = [];
  for (const [index, value] of cells.entries()) {
    const last = runs.at(-1);
    const at = BASE + BigInt(index);
    if (value === undefined) continue;
    if (last !== undefined && last.end === at && last.value === value) last.end = at + 1n;
    else runs.push({ start: at, end: at + 1n, value });
  }
  return runs;
}

Deno.test("Segments agrees with a naive array of cells after any changes", () => {
  fc.assert(
    fc.property(scripts, rangeOf, (script, probe) => {
      const segments = new Segments<number>();
      const cells = new Array<number | undefined>(SPACE).fill(undefined);
      for (const [{ from, to }, name] of script) {
        const change = CHANGES[name] as (value: number | undefined) => number | undefined;
        segments.update(bytesAs(from, to), change);
        for (let index = from; index < to; index++) cells[index] = change(cells[index]);
      }
      assertEquals([...segments], runsOf(cells) as never);
      const covered = cells.filter((value) => value !== undefined).length;
      assertEquals(segments.length, BigInt(covered));
      const range = bytesAs(probe.from, probe.to);
      const masked = cells.map((value, at) =>
        at >= probe.from && at < probe.to ? value : undefined
      );
      assertEquals(segments.within(range), runsOf(masked) as never);
      const inside = cells.slice(probe.from, probe.to);
      assertEquals(segments.covers(range), inside.every((value) => value !== undefined));
      assertEquals(
        segments.lengthWithin(range),
        BigInt(inside.filter((value) => value !== undefined).length),
      );
      for (const [index, value] of cells.entries()) {
        const offset = BASE + BigInt(index);
        assertEquals(segments.at(offset)?.value, value);
        if (value !== undefined) continue;
        const after = cells.findIndex((cell, at) => at > index && cell !== undefined);
        assertEquals(segments.nextStart(offset), after < 0 ? undefined : BASE + BigInt(after));
        const before = cells.findLastIndex((cell, at) => at < index && cell !== undefined);
        assertEquals(
          segments.previousEnd(offset),
          before < 0 ? undefined : BASE + BigInt(before) + 1n,
        );
      }
    }),
    { seed: testSeed(), numRuns: 300 },
  );
});

Deno.test("Segments.update() ignores an empty or inverted range", () => {
  const segments = new Segments<number>();
  segments.set({ start: 5n, end: 5n }, 1);
  segments.set({ start: 6n, end: 5n }, 1);
  assertEquals(segments.count, 0);
});

Deno.test("Segments.update() takes more pieces than the stack takes arguments", () => {
  const segments = new Segments<number>();
  for (let index = 0; index < 3000; index++) {
    segments.set({ start: BigInt(index), end: BigInt(index + 1) }, index);
  }
  segments.update({ start: 0n, end: 3000n }, (value) => (value ?? 0) + 1);
  assertEquals(segments.count, 3000);
  assertEquals(segments.at(2999n)?.value, 3000);
});
