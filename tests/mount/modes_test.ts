import { assertEquals } from "@std/assert";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { compile, missingMount, MountBench, Program, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

testWhere(
  "sysgenid file: one program reads, polls, maps and bumps, as the driver's own tool does",
  missingMount(),
  async () => {
    await using bench = await MountBench.open();
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const program = compile("watcher");
    const path = bench.path("s", "sysgenid");
    using reads = Program.start(program, ["read", path]);
    using polls = Program.start(program, ["poll-untracked", path]);
    using maps = Program.start(program, ["map", path]);
    // The driver's tool maps a file that it has opened for reading and writing.
    using mapsOwn = Program.start(program, ["own", path]);
    const all = [reads, polls, maps, mapsOwn];
    const lines = (): Promise<unknown[]> => Promise.all(all.map((one) => one.line()));
    assertEquals(await lines(), ["reads", "polls", "0", "0"]);
    for (let generation = 1; generation <= 5; generation++) {
      assertEquals(await run(program, ["bump", path]), { code: 0, lines: [""] });
      assertEquals(await lines(), all.map(() => String(generation)));
    }
  },
);
