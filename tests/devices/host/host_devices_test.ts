import { assert, assertEquals, assertObjectMatch, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { HOLDERS_PER_DEVICE_MAX } from "../../../src/core/limits.ts";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import { HostDevices } from "../../../src/devices/host/host_devices.ts";
import type { RegisterRequest } from "../../../src/devices/host/registration.ts";
import { DevicesBench } from "../../support/devices.ts";

const SDA: DeviceInfo = { containerPath: "/dev/a", type: "b", major: 8n, minor: 0n };
const SDB: DeviceInfo = { ...SDA, minor: 16n };
const GROUP: DeviceInfo = { containerPath: "/dev/vfio/12", type: "c", major: 240n, minor: 12n };

async function setUp(): Promise<{ bench: DevicesBench; host: HostDevices }> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  await bench.disk("sdb", 8, 16);
  await bench.hostTree.file("/sys/dev/char/8:0/uevent", "DEVNAME=sg0\n");
  await bench.group(12, [{ bdf: "0000:01:00.0" }, { bdf: "0000:01:00.1" }]);
  await bench.group(13, [{ bdf: "0001:02:00.0", class: "0x030000", pcie: false }]);
  return { bench, host: await HostDevices.open(bench) };
}

async function refused(code: FaultCode, action: () => Promise<unknown>): Promise<Fault> {
  const fault = await assertRejects(action, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault;
}

async function idOf(host: HostDevices, request: Partial<RegisterRequest>): Promise<string> {
  const { device } = await host.register({ info: SDA, sandbox: "s1", ...request });
  return device.id;
}

const withDriver = (driver: string, info = SDA): DeviceInfo => ({
  ...info,
  driverOptions: { "block-driver": driver },
});

Deno.test("HostDevices.register() finds the device by its path, and again by the same request", async () => {
  const { host } = await setUp();
  const first = await host.register({ info: SDA, sandbox: "s1" });
  assertEquals([first.created, first.device.kind, first.device.info.hostPath], [
    true,
    "block",
    "/dev/sda",
  ]);
  assertEquals(first.device.block, {
    driver: "virtio-scsi",
    file: "/dev/sda",
    format: "raw",
    id: `drive-${first.device.id}`,
    shareRw: false,
    readOnly: false,
    pmem: false,
    isDevice: true,
    sizeBytes: 2048n * 512n,
  });
  const again = await host.register({ info: { ...SDA, containerPath: "/x" }, sandbox: "s1" });
  assertEquals([again.created, again.device], [false, first.device]);
  assertEquals(host.count, 1);
});

Deno.test("HostDevices.register() tells char 8:0 from block 8:0 and devices of numbers 0:0 apart", async () => {
  const { host } = await setUp();
  await idOf(host, {});
  await idOf(host, { info: { ...SDA, type: "c" } });
  for (const path of ["/srv/a.img", "/srv/b.img"]) {
    await idOf(host, { info: { ...SDA, containerPath: path, major: 0n } });
  }
  assertEquals(host.count, 4);
  await idOf(host, { info: { ...SDA, containerPath: "/srv//x/../a.img", major: 0n } });
  assertEquals(host.count, 4, "a path is the same however it is written");
});

Deno.test("HostDevices.register() takes one device under two names by its numbers", async () => {
  const { host } = await setUp();
  const fuse: DeviceInfo = { containerPath: "/dev/fuse", type: "c", major: 10n, minor: 229n };
  const first = await idOf(host, { info: fuse });
  assertEquals(await idOf(host, { info: { ...fuse, containerPath: "/dev/my-fuse" } }), first);
  await refused("device-differs", () => idOf(host, { info: { ...fuse, minor: 230n } }));
});

Deno.test("HostDevices.register() refuses other options for a device that the sandbox has", async () => {
  const { host } = await setUp();
  const id = await idOf(host, { block: { readOnly: true } });
  assertEquals(await idOf(host, {}), id);
  assertEquals(await idOf(host, { block: { readOnly: true } }), id);
  await refused("device-differs", () => idOf(host, { block: { readOnly: false } }));
  await refused("device-differs", () => idOf(host, { block: { shareRw: true } }));
  await refused("device-differs", () => idOf(host, { block: { cacheType: "unsafe" } }));
  await refused("device-differs", () => idOf(host, { info: withDriver("virtio-blk") }));
});

Deno.test("HostDevices.register() refuses at once what VFIO has and is no IOMMU group", async () => {
  const { bench, host } = await setUp();
  const info: DeviceInfo = { containerPath: "/dev/v", type: "c", major: 240n, minor: 99n };
  for (const name of ["vfio/devices/vfio0", "vfio/noiommu-0"]) {
    await bench.hostTree.file("/sys/dev/char/240:99/uevent", `DEVNAME=${name}\n`);
    const fault = await refused("value-not-allowed", () => idOf(host, { info }));
    assert(fault.message.includes(`/dev/${name}`), fault.message);
  }
  assertEquals(host.count, 0);
});

Deno.test("HostDevices.register() gives one tag and one address to one device of a sandbox", async () => {
  const { host } = await setUp();
  const fs = (tag: string) => ({
    vhostUser: { type: "vhost-user-fs-pci", socketPath: `/run/${tag}.sock`, tag },
  } as const);
  const folder = (tag: string) => ({
    sharedFolder: { type: "virtio-9p", source: `/srv/${tag}`, tag },
  } as const);
  const net = (name: string, macAddress: string) => ({
    vhostUser: { type: "virtio-net-pci", socketPath: `/run/${name}.sock`, macAddress },
  } as const);
  const first = await idOf(host, fs("t"));
  assertEquals((await refused("device-differs", () => idOf(host, folder("t")))).members, {
    device: first,
  });
  await idOf(host, folder("u"));
  await idOf(host, { ...folder("t"), sandbox: "s2" });
  await idOf(host, net("a", "52:54:00:12:34:ab"));
  await refused("device-differs", () => idOf(host, net("b", "52:54:00:12:34:AB")));
  await idOf(host, net("b", "52:54:00:12:34:ac"));
  assertEquals(await idOf(host, fs("t")), first);
  await host.delete(first);
  await idOf(host, folder("t"));
});

Deno.test("HostDevices.register() tells persistent memory from a disk of the same file", async () => {
  const { bench, host } = await setUp();
  const path = "/srv/pmem.img";
  const content = new Uint8Array(8192);
  content.set(new TextEncoder().encode("NVDIMM_PFN_INFO"), 4096);
  await bench.hostTree.file(path, content);
  const disk: DeviceInfo = { ...SDA, major: 0n, containerPath: path };
  const memory: DeviceInfo = { ...disk, hostPath: path, pmem: true };
  for (const [first, second] of [[disk, memory], [memory, { ...disk, pmem: false }]] as const) {
    const id = await idOf(host, { info: first });
    assertEquals(await idOf(host, { info: first }), id);
    await refused("device-differs", () => idOf(host, { info: second }));
    await host.delete(id);
  }
});

Deno.test("HostDevices.register() has a disk read-only that the host has read-only", async () => {
  const { bench, host } = await setUp();
  await bench.hostTree.file("/sys/dev/block/8:0/ro", "1\n");
  await bench.hostTree.file("/sys/dev/block/8:16/ro", "0\n");
  const { device } = await host.register({ info: SDA, sandbox: "s1" });
  assertEquals(device.block?.readOnly, true);
  assert(device.why.endsWith("read-only, as the host has it"), device.why);
  await refused(
    "value-not-allowed",
    () => idOf(host, { sandbox: "s2", block: { readOnly: false } }),
  );
  assertEquals((await host.register({ info: SDB, sandbox: "s1" })).device.block?.readOnly, false);
});

Deno.test("HostDevices.register() refuses a disk of which it is not known whether it is read-only", async () => {
  const { bench, host } = await setUp();
  await bench.hostTree.file("/sys/dev/block/8:0/ro", "maybe\n");
  await refused("device-unreadable", () => idOf(host, {}));
  await bench.hostTree.file("/sys/dev/block/8:0/ro", "0\n");
  bench.hostTree.failing.set("/sys/dev/block/8:0/ro", "EIO");
  await refused("device-unreadable", () => idOf(host, {}));
  assertEquals(host.count, 0);
});

Deno.test("HostDevices.register() lets several sandboxes have what none of them may change alone", async () => {
  const { host } = await setUp();
  await idOf(host, { sandbox: "s1" });
  const fault = await refused("device-in-use", () => idOf(host, { sandbox: "s2" }));
  assertEquals(fault.members["sandbox"], "s1");
  await refused("device-in-use", () => idOf(host, { sandbox: "s2", block: { readOnly: true } }));
  for (const block of [{ readOnly: true }, { shareRw: true }]) {
    const sandbox = Object.keys(block)[0]?.toLowerCase() ?? "";
    await idOf(host, { info: SDB, sandbox, block });
  }
  await refused("device-in-use", () => idOf(host, { info: SDB, sandbox: "s3" }));
  await idOf(host, { info: GROUP, sandbox: "s1" });
  await refused("device-in-use", () => idOf(host, { info: GROUP, sandbox: "s2" }));
  const fuse: DeviceInfo = { containerPath: "/dev/fuse", type: "c", major: 10n, minor: 229n };
  const urandom = { rng: { filename: "/dev/urandom" } };
  for (const sandbox of ["s1", "s2"]) {
    await idOf(host, { info: fuse, sandbox });
    await idOf(host, { sandbox, ...urandom });
  }
});

Deno.test("HostDevices.register() refuses what another sandbox has as something else", async () => {
  const net = { type: "virtio-net-pci", socketPath: "/run/s.sock" } as const;
  const blk = { type: "vhost-user-blk-pci", socketPath: "/run//s.sock" } as const;
  const odd: DeviceInfo = { containerPath: "/dev/sda", type: "c", major: 0n, minor: 0n };
  const pairs: readonly (readonly [Partial<RegisterRequest>, Partial<RegisterRequest>])[] = [
    [{}, { kind: "generic" }],
    [{ block: { readOnly: true } }, { kind: "generic" }],
    [{}, { rng: { filename: "/dev/sda" } }],
    [{}, { info: odd }],
    [{ kind: "generic" }, { kind: "generic" }],
    [{ info: GROUP }, { info: GROUP, kind: "generic" }],
    [{ info: GROUP, kind: "generic" }, { info: GROUP, kind: "generic" }],
    [{ vhostUser: net }, { vhostUser: blk }],
  ];
  for (const [one, other] of pairs) {
    for (const [first, second] of [[one, other], [other, one]] as const) {
      const { host } = await setUp();
      const device = await idOf(host, { sandbox: "s1", ...first });
      const request = { sandbox: "s2", ...second };
      const { members } = await refused("device-in-use", () => idOf(host, request));
      assertEquals(members, { sandbox: "s1", device });
      await host.delete(device);
      await idOf(host, request);
    }
  }
});

Deno.test("HostDevices.register() lets sandboxes share what is generic by its numbers, and one have both kinds", async () => {
  const { bench, host } = await setUp();
  for (
    const [name, minor] of [["null", 3], ["fuse", 229], ["kvm", 232], ["vfio/vfio", 196]] as const
  ) {
    await bench.hostTree.file(`/sys/dev/char/10:${minor}/uevent`, `DEVNAME=${name}\n`);
    const info: DeviceInfo = { ...GROUP, major: 10n, minor: BigInt(minor) };
    for (const sandbox of ["s1", "s2"]) await idOf(host, { info, sandbox, kind: "generic" });
  }
  const block = await idOf(host, {});
  const generic = await idOf(host, { kind: "generic" });
  assertEquals([await idOf(host, {}), await idOf(host, { kind: "generic" })], [block, generic]);
  assertEquals(host.count, 10);
});

Deno.test("HostDevices.register() gives callers at the same time one device", async () => {
  const { host } = await setUp();
  const requests = Array.from({ length: 20 }, () => host.register({ info: SDA, sandbox: "s1" }));
  const results = await Promise.all(requests);
  assertEquals(new Set(results.map(({ device }) => device.id)).size, 1);
  assertEquals(results.filter(({ created }) => created).length, 1);
  const others = await Promise.allSettled(
    ["s2", "s3"].map((sandbox) => host.register({ info: SDB, sandbox })),
  );
  assertEquals(others.map(({ status }) => status), ["fulfilled", "rejected"]);
});

Deno.test("HostDevices.register() refuses parts that do not fit together", async () => {
  const { host } = await setUp();
  const rng = { filename: "/dev/urandom" };
  const vhostUser = { type: "virtio-net-pci", socketPath: "/run/s" } as const;
  await refused("value-not-allowed", () => idOf(host, { rng, vhostUser }));
  await refused("value-not-allowed", () => idOf(host, { rng, kind: "block" }));
  await refused("value-not-allowed", () => idOf(host, { kind: "vfio" }));
  await refused("value-not-allowed", () => idOf(host, { kind: "rng" }));
  await refused("value-not-allowed", () => idOf(host, { info: GROUP, block: {} }));
  assertEquals(host.count, 0);
  assertEquals(
    (await host.register({ info: SDA, sandbox: "s", kind: "generic" })).device.kind,
    "generic",
  );
});

Deno.test("HostDevices.register() takes persistent memory as an nvdimm, whatever driver is named", async () => {
  const { bench, host } = await setUp();
  const image = new Uint8Array(8192);
  image.set(new TextEncoder().encode("NVDIMM_PFN_INFO"), 4096);
  await bench.hostTree.file("/srv/pmem.img", image);
  const info = { ...withDriver("virtio-blk"), pmem: true, hostPath: "/srv/pmem.img" };
  const { id, block } = (await host.register({ info, sandbox: "s" })).device;
  assertEquals([block?.driver, block?.format, block?.file, block?.sizeBytes, block?.pmem], [
    "nvdimm",
    "ext4",
    "/srv/pmem.img",
    8192n,
    true,
  ]);
  const attached = (await host.attach(id, "c1")).block;
  assertEquals([attached?.index, attached?.virtPath, attached?.scsiAddr], [
    0,
    undefined,
    undefined,
  ]);
  await bench.hostTree.file("/srv/plain.img", new Uint8Array(8192));
  const plain = { ...info, hostPath: "/srv/plain.img" };
  await refused("not-persistent-memory", () => host.register({ info: plain, sandbox: "s" }));
});

Deno.test("HostDevices.attach() gives the lowest index, and names by driver", async () => {
  const { host } = await setUp();
  const drivers = [
    ["virtio-scsi", { index: 0, scsiAddr: "0:0" }],
    ["virtio-blk", { index: 1, virtPath: "/dev/vdb" }],
    ["virtio-mmio", { index: 2, virtPath: "/dev/vdd" }],
    ["virtio-blk-ccw", { index: 3, virtPath: "/dev/vdd" }],
    ["nvdimm", { index: 4 }],
    ["no-such-driver", { index: 5, scsiAddr: "0:5" }],
  ] as const;
  const ids: string[] = [];
  for (const [driver, numbers] of drivers) {
    const info = withDriver(driver, { ...SDA, major: 0n, containerPath: `/srv/${driver}` });
    const id = await idOf(host, { info });
    ids.push(id);
    const { block } = await host.attach(id, "c1");
    const { index, scsiAddr, virtPath } = block ?? {};
    assertEquals(JSON.parse(JSON.stringify({ index, scsiAddr, virtPath })), numbers, driver);
  }
  await host.detach(ids[1] as string, "c1");
  await host.detach(ids[3] as string, "c1");
  const next = await idOf(host, { info: SDB });
  assertEquals((await host.attach(next, "c1")).block?.index, 1);
  const other = await idOf(host, { sandbox: "s2" });
  assertEquals((await host.attach(other, "c1")).block?.index, 0);
});

Deno.test("HostDevices.attach() numbers on the first holder only, detach() frees on the last", async () => {
  const { bench, host } = await setUp();
  const { device } = await host.register({ info: SDA, sandbox: "s1" });
  const { id } = device;
  await host.attach(id, "c1");
  await host.report(id, { pciAddr: "02/03" });
  const second = await host.attach(id, "c2");
  assertEquals(second.holders.map(({ name }) => name), ["c1", "c2"]);
  assertEquals([second.block?.index, second.block?.pciAddr], [0, "02/03"]);
  assertEquals(await host.attach(id, "c2"), second);
  await refused("device-attached", () => host.delete(id));
  await host.detach(id, "c1");
  await host.detach(id, "c1");
  await host.detach(id, "never-was");
  assertEquals(host.get(id).block?.index, 0);
  await host.detach(id, "c2");
  assertEquals(host.get(id), device);
  await host.delete(id);
  await refused("device-not-found", () => host.attach(id, "c1"));
  assertEquals(bench.events.kinds, [
    "device.created",
    "device.attached",
    "device.reported",
    "device.attached",
    "device.detached",
    "device.detached",
    "device.deleted",
  ]);
  assertEquals(await bench.ledger.load("host-device"), []);
});

Deno.test("HostDevices.attach() plugs every device of an IOMMU group but bridges", async () => {
  const { bench, host } = await setUp();
  await bench.group(14, [
    { bdf: "0000:03:00.0", class: "0x060400" },
    { bdf: "0000:03:00.1", class: "0x060000" },
    { bdf: "0000:03:00.2", class: "0x068000" },
  ]);
  const ids = [];
  for (const minor of [12n, 13n, 14n]) ids.push(await idOf(host, { info: { ...GROUP, minor } }));
  const [first, second, third] = ids as [string, string, string];
  const { vfio } = await host.attach(first, "c1");
  assertEquals(vfio?.[0], {
    type: "normal",
    isPcie: true,
    bdf: "0000:01:00.0",
    sysfsDev: "/sys/bus/pci/devices/0000:01:00.0",
    vendorId: "0x15b3",
    deviceId: "0x1017",
    class: "0x020000",
    largeBar: false,
    id: `vfio-${first}0`,
    bus: "rp0",
  });
  assertEquals(vfio?.map(({ bus }) => bus), ["rp0", "rp1"]);
  assertEquals((await host.attach(second, "c1")).vfio?.map(({ bus, bdf }) => [bus, bdf]), [
    ["", "0001:02:00.0"],
  ]);
  const passed = (await host.attach(third, "c1")).vfio;
  assertEquals(passed?.map(({ bdf, bus }) => [bdf, bus]), [["0000:03:00.2", "rp2"]]);
  await host.detach(first, "c1");
  assertEquals(host.get(first).vfio, undefined);
  assertEquals((await host.attach(first, "c2")).vfio?.map(({ bus }) => bus), ["rp0", "rp1"]);
});

Deno.test("HostDevices.attach() leaves nothing behind when the root ports are used up", async () => {
  const { bench, host } = await setUp();
  const bdfs = Array.from({ length: 33 }, (_, i) => ({
    bdf: `0000:${(i + 4).toString(16).padStart(2, "0")}:00.0`,
  }));
  await bench.group(15, bdfs);
  const id = await idOf(host, { info: { ...GROUP, minor: 15n } });
  await refused("root-ports-exhausted", () => host.attach(id, "c1"));
  assertEquals(host.get(id).holders, []);
  const other = await idOf(host, { info: GROUP });
  assertEquals((await host.attach(other, "c1")).vfio?.map(({ bus }) => bus), ["rp0", "rp1"]);
});

Deno.test("HostDevices.attach() gives a vhost-user block device an index by its driver only", async () => {
  const { host } = await setUp();
  const vhostUser = { type: "vhost-user-blk-pci", socketPath: "/run/a.sock" } as const;
  const plain = await idOf(host, { vhostUser });
  assertEquals((await host.attach(plain, "c1")).vhostUser, {
    ...vhostUser,
    devId: `blk-${plain}`,
  });
  const other = { ...vhostUser, socketPath: "/run/b.sock" };
  const indexed = await idOf(host, { vhostUser: other, info: withDriver("virtio-mmio") });
  assertEquals((await host.attach(indexed, "c1")).vhostUser?.index, 0);
  assertEquals((await host.report(indexed, { pciAddr: "02" })).vhostUser?.pciAddr, "02");
  await host.detach(indexed, "c1");
  assertEquals(host.get(indexed).vhostUser, { ...other, devId: `blk-${indexed}` });
});

Deno.test("HostDevices.register() takes a block device of a reserved major for the socket in the store", async () => {
  const bench = new DevicesBench({ roots: { vhostStore: "/store" } });
  for (const [name, major] of [["blk0", 241], ["scsi0", 242]] as const) {
    await bench.hostTree.device(`/store/block/devices/${name}`, "block", major, 3);
    await bench.hostTree.socket(`/store/block/sockets/${name}`);
  }
  const host = await HostDevices.open(bench);
  const made = [];
  for (const major of [241n, 242n]) {
    const info = { ...SDA, major, minor: 3n };
    made.push((await host.register({ info, sandbox: "s" })).device);
  }
  const [blk, scsi] = made;
  assertEquals([blk?.vhostUser, scsi?.vhostUser], [
    {
      type: "vhost-user-blk-pci",
      socketPath: "/store/block/sockets/blk0",
      devId: `blk-${blk?.id}`,
    },
    {
      type: "vhost-user-scsi-pci",
      socketPath: "/store/block/sockets/scsi0",
      devId: `scsi-${scsi?.id}`,
    },
  ]);
});

Deno.test("HostDevices.report() takes what the kind of device has, and nothing else", async () => {
  const { host } = await setUp();
  const id = await idOf(host, {});
  await host.attach(id, "c1");
  const report = { mmioAddr: "0x10", pciAddr: "02/03", nvdimmId: "nv0", devNo: "fe.0.1" };
  const { block } = await host.report(id, report);
  assertObjectMatch(block ?? {}, report);
  const rng = await idOf(host, { rng: { filename: "/dev/urandom" } });
  await refused("wrong-device-kind", () => host.report(rng, { pciAddr: "02" }));
  const net = { type: "virtio-net-pci", socketPath: "/run/n" } as const;
  const netId = await idOf(host, { vhostUser: net });
  await refused("wrong-device-kind", () => host.report(netId, { pciAddr: "02" }));
});

Deno.test("HostDevices.report() takes nothing of a device that nobody holds: the next holder finds no trace", async () => {
  const { bench, host } = await setUp();
  const blk = { type: "vhost-user-blk-pci", socketPath: "/run/b" } as const;
  for (const request of [{}, { vhostUser: blk }]) {
    const id = await idOf(host, request);
    await refused("device-not-attached", () => host.report(id, { pciAddr: "02/03" }));
    await host.attach(id, "c1");
    await host.report(id, { pciAddr: "02/03" });
    await host.detach(id, "c1");
    const before = await bench.ledger.load("host-device");
    await refused("device-not-attached", () => host.report(id, { pciAddr: "02/03" }));
    await refused("device-not-attached", () => host.report(id, {}));
    assertEquals(await bench.ledger.load("host-device"), before);
    const { block, vhostUser } = await host.attach(id, "c2");
    assertEquals([block?.pciAddr, vhostUser?.pciAddr], [undefined, undefined]);
  }
});

Deno.test("HostDevices shows a holder whose lease ran out as lost, and lets it hold on", async () => {
  const { bench, host } = await setUp();
  const id = await idOf(host, {});
  assertEquals(host.statusOf(host.get(id)), "idle");
  await host.attach(id, "c1", 1000);
  await host.attach(id, "c2");
  bench.clock.advance(999);
  await host.attach(id, "c1", 1000);
  bench.clock.advance(999);
  assertEquals(host.isLost(id, "c1"), false);
  bench.clock.advance(1);
  assertEquals([host.isLost(id, "c1"), host.isLost(id, "c2")], [true, false]);
  assertEquals(host.statusOf(host.get(id)), "attached");
  await host.detach(id, "c2");
  assertEquals([host.statusOf(host.get(id)), host.get(id).block?.index], ["lost", 0]);
  await refused("device-attached", () => host.delete(id));
  await host.attach(id, "c1", 1000);
  assertEquals([host.statusOf(host.get(id)), bench.clock.pending], ["attached", 1]);
  await host.detach(id, "c1");
  assertEquals(bench.clock.pending, 0);
  assertEquals(bench.events.kinds.filter((kind) => kind.startsWith("device.holder")), [
    "device.holder-lost",
    "device.holder-returned",
  ]);
});

Deno.test("HostDevices.open() begins every lease anew and ends none of those without", async () => {
  const { bench, host } = await setUp();
  const id = await idOf(host, {});
  await host.attach(id, "c1", 1000);
  await host.attach(id, "c2");
  bench.clock.advance(900);
  host.close();
  const again = await HostDevices.open(bench);
  assertEquals(again.get(id), host.get(id));
  bench.clock.advance(900);
  assertEquals(again.isLost(id, "c1"), false);
  bench.clock.advance(100);
  assertEquals([again.isLost(id, "c1"), again.isLost(id, "c2")], [true, false]);
});

Deno.test("HostDevices refuses more devices and holders than there may be", async () => {
  const { bench } = await setUp();
  const host = await HostDevices.open(bench, 1);
  const id = await idOf(host, {});
  await refused("devices-exhausted", () => idOf(host, { info: SDB }));
  assertEquals(await idOf(host, {}), id);
  for (let i = 0; i < HOLDERS_PER_DEVICE_MAX; i++) await host.attach(id, `c${i}`);
  await refused("holders-exhausted", () => host.attach(id, "one-more"));
  await host.attach(id, "c0");
});

Deno.test("HostDevices.list() filters by kind and sandbox", async () => {
  const { host } = await setUp();
  const block = await idOf(host, {});
  const vfio = await idOf(host, { info: GROUP });
  const other = await idOf(host, { info: SDB, sandbox: "s2" });
  const ids = (...devices: { id: string }[]) => devices.map(({ id }) => id);
  assertEquals(ids(...host.list()), [block, vfio, other].sort());
  assertEquals(ids(...host.list({ kind: "block" })), [block, other].sort());
  assertEquals(ids(...host.list({ kind: "block", sandbox: "s2" })), [other]);
  assert(host.list({ sandbox: "s3" }).length === 0);
});
