import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { HostDevices } from "../../../src/devices/host/host_devices.ts";
import type { RegisterRequest } from "../../../src/devices/host/registration.ts";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import { DevicesBench } from "../../support/devices.ts";

type Request = Pick<RegisterRequest, "info"> & Partial<RegisterRequest>;

const file = (containerPath: string): Request => ({
  info: { containerPath, type: "b", major: 0n, minor: 0n },
});
const numbered = (major: number, minor: number): Request => ({
  info: { containerPath: "/dev/x", type: "b", major: BigInt(major), minor: BigInt(minor) },
});

/** Puts a block device where sysfs has it, below `parent` when it is a partition. */
async function block(bench: DevicesBench, at: string, numbers: string): Promise<string> {
  const [major = 0, minor = 0] = numbers.split(":").map(Number);
  const folder = `/sys/devices/${at}`;
  const name = at.slice(at.lastIndexOf("/") + 1);
  await bench.hostTree.file(`${folder}/dev`, `${numbers}\n`);
  await bench.hostTree.file(`${folder}/uevent`, `DEVNAME=${name}\n`);
  await bench.hostTree.file(`${folder}/size`, "2048\n");
  await bench.hostTree.directory(`${folder}/slaves`);
  await bench.hostTree.directory(`${folder}/holders`);
  await bench.hostTree.link(`/sys/dev/block/${numbers}`, `../../devices/${at}`);
  await bench.hostTree.device(`/dev/${name}`, "block", major, minor);
  return folder;
}

async function stack(bench: DevicesBench, upper: string, lower: string): Promise<void> {
  const name = (folder: string) => folder.slice(folder.lastIndexOf("/") + 1);
  await bench.hostTree.link(`${upper}/slaves/${name(lower)}`, lower);
  await bench.hostTree.link(`${lower}/holders/${name(upper)}`, upper);
}

/** A disk of two partitions with a volume on one and a file system on the other. */
async function setUp(): Promise<{ bench: DevicesBench; host: HostDevices }> {
  const bench = new DevicesBench();
  const { hostTree } = bench;
  const paths = [await block(bench, "pci/sda", "8:0"), await block(bench, "pci/sdb", "8:16")];
  const parts = [
    await block(bench, "pci/sda/sda1", "8:1"),
    await block(bench, "pci/sda/sda2", "8:2"),
  ];
  for (const [i, part] of parts.entries()) await hostTree.file(`${part}/partition`, `${i + 1}\n`);
  for (const [i, volume] of ["dm-0", "dm-1"].entries()) {
    const folder = await block(bench, `virtual/${volume}`, `253:${i}`);
    await hostTree.file(`${folder}/dm/uuid`, `LVM-${i}\n`);
    await stack(bench, folder, parts[0] as string);
  }
  await block(bench, "pci/sdc", "8:32");
  await block(bench, "pci/sdd", "8:48");
  const many = await block(bench, "virtual/dm-2", "253:2");
  await hostTree.file(`${many}/dm/uuid`, "mpath-36001\n");
  await stack(bench, many, "/sys/devices/pci/sdc");
  await stack(bench, many, "/sys/devices/pci/sdd");
  await hostTree.file("/srv/a.img", "a");
  await hostTree.file("/srv/b.img", "b");
  for (const path of ["/srv", "/srv/a.img", "/srv/b.img"]) hostTree.onDevice(path, 8, 2);
  await hostTree.link("/srv/soft.img", "a.img");
  await hostTree.hardLink("/srv/hard.img", "/srv/a.img");
  for (const [i, image] of ["a.img", "b.img", "a.img"].entries()) {
    const loop = await block(bench, `virtual/loop${i}`, `7:${i}`);
    await hostTree.file(`${loop}/loop/backing_file`, `/srv/${image}\n`);
  }
  const part = await block(bench, "virtual/loop0/loop0p1", "259:0");
  await hostTree.file(`${part}/partition`, "1\n");
  const onDisk = await block(bench, "virtual/loop3", "7:3");
  await hostTree.file(`${onDisk}/loop/backing_file`, "/dev/sda1\n");
  assertEquals(paths.length, 2);
  return { bench, host: await HostDevices.open(bench) };
}

const [SDA, SDB, SDA1, SDA2] = [numbered(8, 0), numbered(8, 16), numbered(8, 1), numbered(8, 2)];
const [DM0, DM1, MANY] = [numbered(253, 0), numbered(253, 1), numbered(253, 2)];
const [LOOP0, LOOP1, LOOP2, LOOP3] = [0, 1, 2, 3].map((i) => numbered(7, i)) as [
  ...[Request, Request, Request, Request],
];
const LOOP0P1 = numbered(259, 0);
const A = file("/srv/a.img");
const B = file("/srv/b.img");

const SAME: readonly (readonly [Request, Request])[] = [
  [A, file("/srv/soft.img")],
  [A, file("/srv/hard.img")],
  [file("/srv/soft.img"), file("/srv/hard.img")],
  [A, LOOP0],
  [file("/srv/hard.img"), LOOP0],
  [LOOP0, LOOP2],
  [LOOP0, LOOP0P1],
  [A, LOOP0P1],
  [SDA, SDA1],
  [SDA1, DM0],
  [SDA, DM0],
  [SDA, A],
  [SDA2, A],
  [SDA, LOOP0],
  [SDA, LOOP0P1],
  [LOOP3, SDA1],
  [LOOP3, SDA],
  [LOOP3, DM0],
  [numbered(8, 32), MANY],
  [numbered(8, 32), numbered(8, 48)],
  [A, {
    ...file("/srv/soft.img"),
    info: { ...A.info, pmem: false, containerPath: "/srv/soft.img" },
  }],
  [SDA2, {
    ...file("/srv"),
    sharedFolder: { type: "virtio-fs", source: "/srv", tag: "t" },
  }],
  [SDA, { ...SDA1, kind: "generic" }],
];

const APART: readonly (readonly [Request, Request])[] = [
  [SDA1, SDA2],
  [DM0, DM1],
  [SDA, SDB],
  [A, B],
  [A, LOOP1],
  [A, DM0],
  [LOOP0, LOOP1],
  [SDA2, DM0],
  [MANY, SDA],
];

const nameOf = ({ info }: Request) => `${info.containerPath} ${info.major}:${info.minor}`;

for (const [first, second] of SAME) {
  Deno.test(`HostDevices keeps ${nameOf(first)} and ${nameOf(second)} to one sandbox`, async () => {
    for (const [one, other] of [[first, second], [second, first]] as const) {
      const { host } = await setUp();
      const { device } = await host.register({ sandbox: "s1", ...one });
      const fault = await assertRejects(() => host.register({ sandbox: "s2", ...other }), Fault);
      assertEquals([fault.code, fault.members], ["device-in-use", {
        sandbox: "s1",
        device: device.id,
      }]);
      assert(fault.message.includes(device.info.hostPath), fault.message);
      await host.delete(device.id);
      await host.register({ sandbox: "s2", ...other });
    }
  });
}

Deno.test("HostDevices lets two sandboxes read what is one storage, and write what is not", async () => {
  const readOnly = { block: { readOnly: true } };
  for (const [one, other] of SAME) {
    if (one.sharedFolder ?? other.sharedFolder ?? other.kind) continue;
    const { host } = await setUp();
    await host.register({ sandbox: "s1", ...one, ...readOnly });
    await host.register({ sandbox: "s2", ...other, ...readOnly });
  }
  for (const pair of APART) {
    const { host } = await setUp();
    for (const [i, one] of pair.entries()) await host.register({ sandbox: `s${i}`, ...one });
  }
});

Deno.test("HostDevices knows one file again in a sandbox, whatever it is called", async () => {
  const { host } = await setUp();
  const { device } = await host.register({ sandbox: "s1", ...A });
  for (const path of ["/srv/hard.img", "/srv/soft.img"]) {
    const again = await host.register({ sandbox: "s1", ...file(path) });
    assertEquals([again.created, again.device.id], [false, device.id]);
  }
  assertEquals((await host.register({ sandbox: "s1", ...B })).created, true);
});

Deno.test("HostDevices.attach() refuses storage that has become another sandbox's", async () => {
  const { bench, host } = await setUp();
  await host.register({ sandbox: "s1", ...SDB });
  const { device } = await host.register({ sandbox: "s2", ...DM0 });
  await stack(bench, "/sys/devices/virtual/dm-0", "/sys/devices/pci/sdb");
  const fault = await assertRejects(() => host.attach(device.id, "c1"), Fault);
  assertEquals(fault.code, "device-in-use", fault.message);
  assertEquals(host.get(device.id).holders, []);
});

Deno.test("HostDevices.open() finds the storage of devices that an older version wrote", async () => {
  const { bench, host } = await setUp();
  const { device } = await host.register({ sandbox: "s1", ...LOOP0 });
  const [row] = await bench.ledger.load("host-device");
  const { storage, ...old } = row?.body as { storage: unknown };
  assert(storage !== undefined);
  await bench.ledger.commit([{ kind: "host-device", id: device.id, body: old }]);
  const again = await HostDevices.open(bench);
  await assertRejects(() => again.register({ sandbox: "s2", ...A }), Fault, "same storage");
});

Deno.test("HostDevices.register() refuses storage that the host does not let it look at", async () => {
  for (
    const [path, errno] of [
      ["/srv/a.img", "EACCES"],
      ["/sys/dev/block/8:2/partition", "EIO"],
      ["/sys/dev/block/8:2/../dev", "EIO"],
      ["/sys/dev/block/8:2/slaves", "EACCES"],
    ] as const
  ) {
    const { bench, host } = await setUp();
    bench.hostTree.failing.set(path, errno);
    const fault = await assertRejects(() => host.register({ sandbox: "s1", ...A }), Fault);
    assertEquals(fault.code, "device-unreadable", fault.message);
  }
  const info: DeviceInfo = SDA1.info;
  const { bench, host } = await setUp();
  await bench.hostTree.file("/sys/devices/pci/sda/dev", "nonsense");
  await assertRejects(() => host.register({ sandbox: "s1", info }), Fault, "numbers");
});
