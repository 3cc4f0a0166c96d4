import { assert, assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";

/** Everything that a daemon says of its devices. */
async function shown(daemon: Daemon, ids: readonly string[]): Promise<unknown> {
  const image = await daemon.json(200, "GET", "/v1/devices/image");
  const list = await daemon.json(200, "GET", "/v1/devices");
  const mappings = await daemon.json(200, "GET", "/v1/devices/anon-2/mappings");
  const renderings = [];
  for (const id of ids) {
    renderings.push(await daemon.json(200, "GET", `/v1/devices/${id}/render?for=qemu`));
  }
  return { image, list, mappings, renderings };
}

Deno.test("two daemons one after the other on one state folder agree on every number", async () => {
  const first = await Daemon.start();
  const { folder } = first;
  await first.json(201, "POST", "/v1/devices/anonymous", { kind: "simple" });
  await first.json(201, "POST", "/v1/devices/anonymous", { kind: "multi", name: "files" });
  await first.json(201, "POST", "/v1/devices/anonymous", { kind: "simple" });
  await first.json(201, "POST", "/v1/devices/anon-1/inodes");
  const keys = Array.from({ length: 100 }, (_, i) => ({ device: 8, inode: i }));
  await first.json(200, "POST", "/v1/devices/anon-2/mappings", { keys });
  await first.json(204, "DELETE", "/v1/devices/anon-2/mappings/7");
  await first.json(204, "DELETE", "/v1/devices/anon-3");
  const ids: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const info = { containerPath: `${folder}/${name}.img`, type: "b", major: 0, minor: 0 };
    const { id } = await first.json(201, "POST", "/v1/devices", { ...info, sandbox: "s" });
    await first.json(200, "PUT", `/v1/devices/${id}/holders/c1`, { leaseMs: 60_000 });
    ids.push(id);
  }
  await first.json(204, "DELETE", `/v1/devices/${ids[1]}/holders/c1`);
  await first.json(200, "PATCH", `/v1/devices/${ids[2]}`, { pciAddr: "02/03" });
  const held = [ids[0], ids[2]] as [string, string];
  const before = await shown(first, held);
  await first.stop("SIGKILL");

  await using second = await Daemon.start({ folder });
  assertEquals(await shown(second, held), before);
  const next = await second.json(201, "POST", "/v1/devices/anonymous", { kind: "simple" });
  assertEquals(next.id, "anon-4");
  assertEquals(await second.json(201, "POST", "/v1/devices/anon-1/inodes"), { inode: "2" });
  const mapped = await second.json(200, "POST", "/v1/devices/anon-2/mappings", {
    keys: [{ device: 8, inode: 6 }, { device: 8, inode: 5 }],
  });
  assertEquals(mapped.items.map((one: { virtualInode: string }) => one.virtualInode), ["101", "6"]);
  const again = await second.json(200, "PUT", `/v1/devices/${ids[1]}/holders/c9`, {});
  assertEquals(again.block.index, 1);
});

Deno.test("the daemon tells every change of a device as an event", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "POST", "/v1/devices/anonymous", { kind: "multi" });
  const keys = [{ device: 8, inode: 1 }, { device: 8, inode: 2 }];
  await daemon.json(200, "POST", "/v1/devices/anon-1/mappings", { keys });
  const info = { containerPath: "/srv/none.img", type: "b", major: 0, minor: 0 };
  const { id } = await daemon.json(201, "POST", "/v1/devices", info);
  await daemon.json(200, "PUT", `/v1/devices/${id}/holders/c1`, {});
  await daemon.json(204, "DELETE", `/v1/devices/${id}/holders/c1`);
  await daemon.json(204, "DELETE", `/v1/devices/${id}`);
  const response = await daemon.fetch("/v1/events?limit=1000", {
    headers: { accept: "application/json" },
  });
  const { items } = await response.json();
  const kinds = items.map((one: { kind: string }) => one.kind)
    .filter((kind: string) => /^(device|mapping)\./.test(kind));
  assertEquals(kinds, [
    ...["device.created", "mapping.created", "device.created"],
    ...["device.attached", "device.detached", "device.deleted"],
  ]);
  assert(items.some((one: { data?: { count?: number } }) => one.data?.count === 2));
});
