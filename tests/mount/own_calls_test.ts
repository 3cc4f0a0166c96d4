import { assertEquals, assertRejects } from "@std/assert";
import { dirname } from "node:path/posix";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { openHostDevice } from "../../src/native/host_device.ts";
import { HostRoot } from "../../src/native/host_root.ts";
import { NativeHostTree } from "../../src/native/host_tree.ts";
import { SharedFolder } from "../../src/native/shared_folder.ts";
import { missingMount, MountBench, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function errnoOf(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, SystemError)).errno;
}

testWhere(
  "own mount: every way of the daemon to a path is refused there, and none waits for itself",
  missingMount(),
  async () => {
    await using bench = await MountBench.open();
    await bench.scopes.put("s", DEFAULT_OPTIONS);
    const above = dirname(bench.folder);
    const inside = bench.path("s", "sysgenid").slice(above.length + 1);
    // A bind mount of a file, a link to one, and the root of the mount itself.
    const bound = Deno.makeTempFileSync({ dir: above });
    const link = `${bound}-link`;
    Deno.symlinkSync(bench.path("s", "sysgenid"), link);
    assertEquals(
      (await run("mount", ["--bind", bench.path("s", "sysgenid"), bound])).code,
      0,
    );
    try {
      using root = new HostRoot(bench.libc, above);
      using tree = new NativeHostTree(bench.libc);
      using shared = new SharedFolder(bench.libc, above);
      const relative = bound.slice(above.length + 1);
      for (const path of [inside, relative, `${inside}/no/such/thing`]) {
        const open = (access: "ro" | "rw", create: "never" | "exclusive") =>
          root.open({ path, access, create, permissions: 0o600 });
        assertEquals(await errnoOf(open("ro", "never")), "EDEADLK", path);
        assertEquals(await errnoOf(open("rw", "exclusive")), "EDEADLK", path);
        const names = path.split("/").map(bytes);
        assertEquals(await errnoOf(shared.node(names)), "EDEADLK", path);
      }
      const folder = bench.folder.slice(above.length + 1);
      assertEquals(await errnoOf(shared.names([bytes(folder)])), "EDEADLK");
      assertEquals(await errnoOf(shared.names([bytes(folder), bytes("scopes")])), "EDEADLK");
      for (const path of [bench.path("s", "sysgenid"), bound, link, bench.folder]) {
        assertEquals(await errnoOf(tree.stat(path)), "EDEADLK", path);
        assertEquals(await errnoOf(tree.readFile(path)), "EDEADLK", path);
        assertEquals(await errnoOf(tree.list(path)), "EDEADLK", path);
        const opening = openHostDevice(bench.libc, tree, path, "/dev/null");
        assertEquals(await errnoOf(opening), "EDEADLK", path);
      }
      assertEquals(await errnoOf(tree.readLink(bench.path("s", "sysgenid"))), "EDEADLK");
      // Others get in, and what is beside the mount is found and missed as ever.
      assertEquals((await run("cat", [bench.path("s", "generation")])).lines, ["0"]);
      assertEquals((await tree.stat("/dev/null")).kind, "char");
      assertEquals(await errnoOf(tree.stat("/no/such/thing")), "ENOENT");
    } finally {
      await run("umount", ["-l", bound]);
      Deno.removeSync(bound);
      Deno.removeSync(link);
    }
  },
);
