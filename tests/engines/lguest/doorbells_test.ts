import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Doorbells } from "../../../src/engines/lguest/doorbells.ts";
import { testSeed } from "../../support/random.ts";

Deno.test("Doorbells.take() gives each notify of an attached address once", () => {
  const addresses = fc.integer({ min: 1, max: 4 });
  const step = fc.record({
    what: fc.constantFrom("attach", "detach", "ring", "ring", "take"),
    address: addresses,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bells = new Doorbells();
      const model = new Map<number, number>();
      for (const { what, address } of steps) {
        if (what === "attach") {
          bells.attach(address);
          model.set(address, model.get(address) ?? 0);
        } else if (what === "detach") {
          bells.detach(address);
          model.delete(address);
        } else if (what === "ring") {
          const count = model.get(address);
          assertEquals(bells.ring(address), count !== undefined);
          if (count !== undefined) model.set(address, count + 1);
        } else {
          const due = [...model].filter(([, count]) => count > 0);
          assertEquals(bells.take() ?? [], due);
          for (const [rung] of due) model.set(rung, 0);
        }
      }
    }),
    { seed: testSeed(), numRuns: 500 },
  );
});
