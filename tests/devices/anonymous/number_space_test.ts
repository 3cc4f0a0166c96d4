import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { U64_MAX } from "../../../src/core/limits.ts";
import { NumberSpace } from "../../../src/devices/anonymous/number_space.ts";
import { testSeed } from "../../support/random.ts";

/** Finds the numbers of a space the slow way: it tries each from 1 on. */
class NaiveSpace {
  readonly used = new Set<bigint>();
  /** Numbers that were used at some time, and so are not fresh. */
  readonly spent = new Set<bigint>();
  last = 0n;

  constructor(readonly max: bigint) {}

  next(): bigint | undefined {
    for (let number = this.last + 1n; number <= this.max; number++) {
      if (this.spent.has(number)) continue;
      this.last = number;
      return this.#use(number);
    }
    this.last = this.max;
    for (let number = 1n; number <= this.max; number++) {
      if (!this.used.has(number)) return this.#use(number);
    }
    return undefined;
  }

  take(number: bigint): void {
    this.#use(number);
  }

  #use(number: bigint): bigint {
    this.used.add(number);
    this.spent.add(number);
    return number;
  }
}

type Step =
  | { readonly do: "draw"; readonly count: number; readonly accept: boolean }
  | { readonly do: "take" | "free"; readonly number: bigint }
  | { readonly do: "reopen" };

const number = fc.bigInt({ min: 1n, max: 12n });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("draw" as const),
    count: fc.integer({ min: 1, max: 4 }),
    accept: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom("take" as const, "free" as const), number }),
  fc.record({ do: fc.constant("reopen" as const) }),
);

Deno.test("NumberSpace hands out the numbers that a naive space hands out", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.bigInt({ min: 1n, max: 12n }),
      (steps, max) => {
        let space = new NumberSpace(max);
        const naive = new NaiveSpace(max);
        const used = new Set<bigint>();
        for (const one of steps) {
          if (one.do === "draw") {
            const draw = space.draw((number) => used.has(number));
            const drawn = Array.from({ length: one.count }, () => draw.next());
            // A draw that came to nothing is given up, as MultiDevice.plan() does.
            if (!one.accept || drawn.includes(undefined)) continue;
            assertEquals(drawn, Array.from({ length: one.count }, () => naive.next()));
            space.accept(draw);
            for (const number of drawn as bigint[]) used.add(number);
          } else if (one.do === "reopen") {
            const retired = Array.from({ length: Number(max) }, (_, i) => BigInt(i + 1))
              .filter((number) => space.isRetired(number));
            space = new NumberSpace(max, space.last, retired);
          } else if (one.number > max) {
            continue;
          } else if (one.do === "take" && !used.has(one.number)) {
            space.take(one.number);
            used.add(one.number);
            naive.take(one.number);
          } else if (one.do === "free" && used.delete(one.number)) {
            space.giveBack(one.number);
            naive.used.delete(one.number);
          }
          assertEquals(used, naive.used);
        }
      },
    ),
    { seed: testSeed() | 0, numRuns: 500 },
  );
});

Deno.test("NumberSpace.draw() says when every number is in use", () => {
  const draw = new NumberSpace(2n).draw(() => false);
  assertEquals([draw.next(), draw.next(), draw.next()], [1n, 2n, undefined]);
});

Deno.test("NumberSpace.draw() goes on from 1 after the end of u64 and never gives 0", () => {
  const used = new Set([U64_MAX - 1n, 1n]);
  const draw = new NumberSpace(U64_MAX, U64_MAX - 2n).draw((number) => used.has(number));
  assertEquals([draw.next(), draw.next(), draw.next()], [U64_MAX, 2n, 3n]);
});

Deno.test("NumberSpace hands out no number that was given back while fresh ones are left", () => {
  const space = new NumberSpace(6n);
  const used = new Set([5n]);
  space.take(5n);
  used.delete(5n);
  space.giveBack(5n);
  const draw = space.draw((number) => used.has(number));
  assertEquals(Array.from({ length: 6 }, () => draw.next()), [1n, 2n, 3n, 4n, 6n, 5n]);
  space.accept(draw);
  assertEquals(space.retired.size, 0);
});

Deno.test("NumberSpace looks for free numbers where it left off, and again below what came back", () => {
  const space = new NumberSpace(4n, 4n);
  const probed: bigint[] = [];
  const used = new Set([1n, 2n]);
  const drawOne = (): bigint | undefined => {
    probed.length = 0;
    const draw = space.draw((number) => {
      probed.push(number);
      return used.has(number);
    });
    const number = draw.next();
    if (number === undefined) return undefined;
    space.accept(draw);
    used.add(number);
    return number;
  };
  assertEquals([drawOne(), probed], [3n, [1n, 2n, 3n]]);
  assertEquals([drawOne(), probed], [4n, [4n]]);
  assertEquals([drawOne(), probed], [undefined, []]);
  used.delete(2n);
  space.giveBack(2n);
  assertEquals([drawOne(), probed], [2n, [2n]]);
});

Deno.test("NumberSpace looks at no number again that a draw which came to nothing has found in use", () => {
  const space = new NumberSpace(4n, 3n);
  const used = new Set([1n, 2n, 3n]);
  const looks: bigint[][] = [];
  const drawTwo = (): (bigint | undefined)[] => {
    const probed: bigint[] = [];
    looks.push(probed);
    const draw = space.draw((number) => {
      probed.push(number);
      return used.has(number);
    });
    return [draw.next(), draw.next()];
  };
  assertEquals([drawTwo(), drawTwo()], [[4n, undefined], [4n, undefined]]);
  assertEquals(looks, [[4n, 1n, 2n, 3n], [4n]]);
  used.delete(2n);
  space.giveBack(2n);
  // When a draw is given up, the numbers that it has chosen stay free, and so do those after them.
  assertEquals([drawTwo(), drawTwo()], [[4n, 2n], [4n, 2n]]);
});
