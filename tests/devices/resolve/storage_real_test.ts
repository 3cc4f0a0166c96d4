import { assert, assertEquals } from "@std/assert";
import { HOST_ROOTS } from "../../../src/devices/resolve/host_roots.ts";
import { StorageGraph } from "../../../src/devices/resolve/storage.ts";
import { Libc } from "../../../src/native/libc.ts";
import { NativeHostTree } from "../../../src/native/host_tree.ts";
import { missingProgram, testWhere } from "../../support/skip.ts";

async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] })
    .output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

/** Why there are no loop devices, `undefined` when there are. */
function missingLoops(): string | undefined {
  if (Deno.uid() !== 0) return "only root may set up loop devices";
  const missing = missingProgram("losetup") ?? missingProgram("addpart");
  if (missing !== undefined) return missing;
  const { success } = new Deno.Command("losetup", { args: ["-f"], stderr: "null" }).outputSync();
  return success ? undefined : "this machine has no loop devices";
}

testWhere(
  "StorageGraph.of() finds the file below a real loop device and a real partition",
  missingLoops(),
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "innkeeper-storage-" });
    const path = `${folder}/disk.img`;
    await Deno.writeFile(path, new Uint8Array(512));
    await Deno.truncate(path, 4 * 1024 * 1024);
    await Deno.link(path, `${folder}/hard.img`);
    const loop = await run("losetup", "-f", "--show", path);
    using libc = Libc.open();
    using tree = new NativeHostTree(libc);
    const graph = new StorageGraph(tree, HOST_ROOTS);
    try {
      const file = await graph.of(path);
      assertEquals(await graph.of(`${folder}/hard.img`), file);
      const whole = await graph.of(loop);
      assertEquals(whole?.self.slice(1), file?.self);
      // The kernel is told of the partition, so it needs to know no form of partition table.
      await run("addpart", loop, "1", "2048", "2048");
      const disk = loop.slice("/dev/".length);
      const numbers = new TextDecoder().decode(
        await tree.readFile(`/sys/block/${disk}/${disk}p1/dev`),
      );
      const [major = "", minor = ""] = numbers.trim().split(":");
      const part = await graph.of("/no/such/node", { major: BigInt(major), minor: BigInt(minor) });
      assertEquals(part?.self, [`block ${major}:${minor}`]);
      for (const name of whole?.self ?? []) assert(part?.below.includes(name), name);
      assertEquals(part?.diskseq, whole?.diskseq);
    } finally {
      await run("delpart", loop, "1").catch(() => undefined);
      await run("losetup", "-d", loop);
      await Deno.remove(folder, { recursive: true });
    }
  },
);
