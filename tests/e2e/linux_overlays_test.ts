import { assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { bzImageOf } from "../support/kernels.ts";

Deno.test("overlays of guests go with them, and with a daemon that was killed", async () => {
  const images = await Deno.makeTempDir({ prefix: "innkeeper-overlays-" });
  await Deno.writeFile(`${images}/kernel`, bzImageOf());
  await Deno.writeFile(`${images}/disk.img`, new Uint8Array(1024 * 1024));
  const args = ["--root", `images=${images}`];
  const boot = async (daemon: Daemon, name: string): Promise<Record<string, string>> => {
    const inode = async (path: string): Promise<string> => {
      const json = { root: "images", path, access: "ro", cache: "own", holder: "test" };
      const response = await daemon.fetch("/v1/inodes", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(json),
      });
      return (await response.json()).id;
    };
    const linux = {
      memoryMiB: 32,
      kernel: await inode("kernel"),
      disks: [{ inode: await inode("disk.img") }],
    };
    return await daemon.json(201, "POST", "/v1/guests", { name, linux });
  };
  const first = await Daemon.start({ args });
  const { folder } = first;
  const overlays = (): number => [...Deno.readDirSync(`${folder}/state/overlays`)].length;
  try {
    await boot(first, "one");
    await boot(first, "two");
    assertEquals(overlays(), 2);
    await first.json(204, "DELETE", "/v1/guests/one");
    for (let waitedMs = 0; overlays() > 1 && waitedMs < 5_000; waitedMs += 20) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(overlays(), 1);
    await first.stop("SIGKILL");
    const second = await Daemon.start({ folder, args });
    try {
      assertEquals(overlays(), 0);
      const lost = await second.json(200, "GET", "/v1/guests/two");
      assertEquals([lost.kind, lost.state, lost.deathReason], ["linux", "dead", "host_restart"]);
      assertEquals((await second.json(410, "GET", "/v1/guests/two/console")).code, "guest-dead");
      await boot(second, "three");
      assertEquals(await second.stop(), 0);
    } finally {
      await second[Symbol.asyncDispose]();
    }
  } finally {
    await first[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(images, { recursive: true });
  }
});
