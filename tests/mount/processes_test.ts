import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { Fault } from "../../src/core/faults.ts";
import { compile, missingMount, MountBench, Program, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

const PROCESSES = 1_000;
const bump = { reason: "test", by: "test" };

testWhere(
  "sysgenid file: 1,000 processes come, ack, end and are killed while bumps come, and none leaks",
  missingMount(),
  async () => {
    await using bench = await MountBench.open();
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const scope = bench.scopes.get("s");
    const program = compile("watcher");
    const path = bench.path("s", "sysgenid");
    const follower = Program.start(program, ["follow", path]);
    assertEquals(await follower.line(), "tracked");
    let isOver = false;
    const crowd = run(program, ["crowd", path, String(PROCESSES), "7"])
      .finally(() => isOver = true);
    let opened = 0;
    let bumps = 0;
    while (!isOver) {
      await scope.bump(bump);
      bumps++;
      const { epoch } = scope.state;
      try {
        const { confirmed, departed } = await scope.barrier({ epoch }, { waitMs: 40 });
        // (a) Whoever is tracked has confirmed exactly this generation, or has left by name.
        for (const watcher of scope.state.watchers) {
          assert(!watcher.tracked || watcher.ackedEpoch === epoch, `${watcher.name} is late`);
        }
        // (b) Who left is not counted as having confirmed.
        const names = new Set(confirmed.map(({ id }) => id));
        assert(!departed.some(({ id }) => names.has(id)));
        opened++;
      } catch (error) {
        assert(error instanceof Fault, `${error}`);
        assertEquals(error.errno, "ETIME");
        assert([...scope.state.late()].length > 0, "the barrier was shut and nobody was late");
      }
    }
    assertEquals((await crowd).lines, ["could not open: 0"]);
    assert(bumps > 10 && opened > 0, `${bumps} bumps, ${opened} barriers opened`);
    for (let tries = 0; tries < 500 && scope.state.counts.watchers > 1; tries++) await delay(10);
    assertEquals(scope.state.counts.watchers, 1);
    assertEquals(bench.mount.status.handles, 1);
    await follower.end();
    for (let tries = 0; tries < 500 && scope.state.counts.watchers > 0; tries++) await delay(10);
    assertEquals(scope.state.counts, { watchers: 0, tracked: 0, outdated: 0 });
  },
);
