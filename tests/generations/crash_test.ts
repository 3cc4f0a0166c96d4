import { assert, assertEquals } from "@std/assert";
import { Scopes } from "../../src/generations/scopes.ts";
import { vmclockEpoch } from "../../src/generations/vmclock_page.ts";
import { CrashingLedger, CrashPoint } from "../support/crash_point.ts";
import { ScopesBench } from "../support/scopes.ts";

const request = { reason: "restore", by: "test" };

/** Steps of a bump: two of the ledger, one store of sysgenid, three of vmclock. */
const STEPS = 6;

async function world(): Promise<
  { bench: ScopesBench; point: CrashPoint; open(): Promise<Scopes> }
> {
  const bench = new ScopesBench();
  await (await bench.withScope("vm-7")).close();
  const point = new CrashPoint();
  bench.pages.onStore = () => point.step();
  const { pages, clock, random, events } = bench;
  const ledger = new CrashingLedger(bench.ledger, point);
  return { bench, point, open: () => Scopes.open({ ledger, pages, clock, random, events }) };
}

for (let step = 0; step <= STEPS; step++) {
  Deno.test(`a kill at step ${step} of a bump: no generation is used twice, the barrier names who has not confirmed (case 32)`, async () => {
    const { bench, point, open } = await world();
    const notified = new Map<number, string>();
    let scope = (await open()).get("vm-7");
    for (const name of ["a", "b"]) await scope.watchers.watch({ name, track: true });
    const hear = (): void => {
      scope.listen((change) => {
        if (change.kind !== "generation") return;
        const { generation, unique } = change.bump;
        assert(!notified.has(generation), `generation ${generation} was used for two events`);
        notified.set(generation, unique);
        assertEquals(bench.pages.generation("vm-7"), generation);
      });
    };
    hear();
    await scope.bump(request);
    point.left = step;
    const outcome = await scope.bump(request).then(({ bump }) => bump.generation, () => "killed");
    assertEquals(outcome === "killed", step < STEPS, `there are not ${STEPS} steps`);
    point.left = Infinity;
    const shown = bench.pages.generation("vm-7") as number;

    scope = (await open()).get("vm-7");
    hear();
    const { generation, epoch } = scope.state;
    assert(generation >= shown, "the generation went back");
    assert(outcome === "killed" || generation === outcome, "an acknowledged bump was lost");
    assertEquals(bench.pages.generation("vm-7"), generation);
    const vmclock = bench.pages.files.get("vm-7/vmclock") as Uint8Array<ArrayBuffer>;
    assertEquals(vmclockEpoch(vmclock), epoch);
    assertEquals(new DataView(vmclock.buffer).getUint32(0x0c, true) % 2, 0);
    assertEquals([...scope.state.late()].map(({ name }) => name).sort(), ["a", "b"]);
    const next = (await scope.bump(request)).bump;
    assert(next.generation > generation);
  });
}
