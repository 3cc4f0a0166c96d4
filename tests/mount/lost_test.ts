import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { compile, missingMount, MountBench, Program, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

testWhere(
  "mount: when somebody else takes it away, files that are open block until nobody has them",
  missingMount(),
  async () => {
    await using bench = await MountBench.open();
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const scope = bench.scopes.get("s");
    using follower = Program.start(compile("watcher"), [
      "follow",
      bench.path("s", "sysgenid"),
      "stay",
    ]);
    assertEquals(await follower.line(), "tracked");
    // Twice: the first ends the connection, the second takes the dead mount out of the tree.
    await run("umount", ["-f", bench.folder]);
    await run("umount", ["-l", bench.folder]);
    assertEquals(await follower.line(), "ended: ECONNABORTED");
    await scope.bump({ reason: "test", by: "test" });
    const presences = (): string[] => [...scope.state.late()].map(({ presence }) => presence);
    for (let tries = 0; tries < 100 && presences()[0] !== "held"; tries++) await delay(10);
    assertEquals(presences(), ["held"]);
    // Whatever else is mounted on the folder now is nothing of ours.
    await run("mount", ["-t", "tmpfs", "none", bench.folder]);
    await follower.end();
    for (let tries = 0; tries < 100 && presences().length > 0; tries++) await delay(50);
    assertEquals(presences(), []);
    await bench.stop();
    const { lines } = await run("stat", ["-f", "-c", "%T", bench.folder]);
    assertEquals(lines, ["tmpfs"]);
    await run("umount", ["-l", bench.folder]);
  },
);
