import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { compile, missingMount, MountBench, Program, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

const grants = [{ uid: 1001, grants: ["watch"] }];
const bump = { reason: "test", by: "test" };

/** What another program sees when it opens the file now, and what the published page holds. */
async function seenBy(bench: MountBench, program: string, path: string): Promise<unknown[]> {
  using reader = Program.start(program, ["map", path]);
  const first = await reader.line();
  const { generation } = bench.scopes.get("s").state;
  const page = new Uint32Array(bench.scopes.get("s").pages.sysgenid.bytes().buffer)[0];
  return [first, page, generation];
}

testWhere(
  "maps: a program that maps for writing and stores changes what nobody else sees",
  missingMount(),
  async () => {
    await using bench = await MountBench.open({ grants });
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const program = compile("watcher");
    const path = bench.path("s", "sysgenid");
    using before = Program.start(program, ["map", path]);
    assertEquals(await before.line(), "0");
    using hostile = Program.start(program, ["forge", path, "stay"], { uid: 1001, gid: 1001 });
    const ways = await hostile.linesUntil("done");
    assertEquals(ways, [
      "open: yes",
      // Two pages may be mapped, and the page is the program's own: docs/mount.md#departures.
      "map: yes",
      "write: EINVAL",
      "read map: yes",
      "mprotect: EACCES",
      "reopen: EBUSY",
    ]);
    assertEquals(await seenBy(bench, program, path), ["0", 0, 0]);
    await bench.scopes.get("s").bump(bump);
    assertEquals(await before.line(), "1");
    assertEquals(await seenBy(bench, program, path), ["1", 1, 1]);
    assertEquals(bench.mount.status.ownPages, 1);
  },
);

testWhere(
  "maps: through a shared bind mount only who opens for reading maps, and nothing forged is seen",
  missingMount(),
  async () => {
    await using bench = await MountBench.open({ grants });
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const program = compile("watcher");
    const target = Deno.makeTempFileSync();
    Deno.chmodSync(target, 0o666);
    const mounted = await run("mount", ["--bind", bench.path("s", "sysgenid"), target]);
    assertEquals(mounted, { code: 0, lines: [""] });
    try {
      using reader = Program.start(program, ["map", target]);
      assertEquals(await reader.line(), "0");
      using again = Program.start(program, ["forge", target, "stay"], { uid: 1001, gid: 1001 });
      assertEquals(await again.linesUntil("done"), [
        "open: yes",
        "map: ENODEV",
        "write: EINVAL",
        "read map: yes",
        "mprotect: EACCES",
        "reopen: EBUSY",
      ]);
      assertEquals(await seenBy(bench, program, target), ["0", 0, 0]);
      await bench.scopes.get("s").bump(bump);
      assertEquals(await reader.line(), "1");
      assertEquals(await seenBy(bench, program, bench.path("s", "sysgenid")), ["1", 1, 1]);
    } finally {
      await run("umount", ["-l", target]);
      Deno.removeSync(target);
    }
  },
);

testWhere(
  "maps: they go on when their scope is deleted and made again",
  missingMount(),
  async () => {
    await using bench = await MountBench.open();
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const program = compile("watcher");
    using reader = Program.start(program, ["map", bench.path("s", "sysgenid")]);
    using writer = Program.start(program, ["own", bench.path("s", "sysgenid")]);
    assertEquals([await reader.line(), await writer.line()], ["0", "0"]);
    await bench.scopes.delete("s", true);
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    assertEquals([await reader.line(), await writer.line()], ["1", "1"]);
    await bench.scopes.get("s").bump(bump);
    assertEquals([await reader.line(), await writer.line()], ["2", "2"]);
  },
);

testWhere("maps: pages of programs that are gone are taken away", missingMount(), async () => {
  await using bench = await MountBench.open({ grants });
  await bench.scopes.put("s", DEFAULT_OPTIONS);
  const program = compile("watcher");
  const path = bench.path("s", "sysgenid");
  for (let i = 0; i < 3; i++) await run(program, ["forge", path]);
  // The kernel lets go of a file some time after its last close.
  for (let tries = 0; tries < 100 && bench.mount.status.ownPages > 0; tries++) {
    await bench.scopes.get("s").bump(bump);
    await delay(10);
  }
  assertEquals(bench.mount.status.ownPages, 0);
  assertEquals([...Deno.readDirSync(`${bench.run}/own`)], []);
});
