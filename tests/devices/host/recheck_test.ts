import { assertEquals, assertObjectMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { HostDevices } from "../../../src/devices/host/host_devices.ts";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import { DevicesBench } from "../../support/devices.ts";

const SDA: DeviceInfo = { containerPath: "/dev/a", type: "b", major: 8n, minor: 0n };
const LOOP: DeviceInfo = { ...SDA, major: 7n };
const IMAGE: DeviceInfo = { ...SDA, containerPath: "/srv/a.img", major: 0n };
const SYS_SDA = "/sys/dev/block/8:0";
const SYS_LOOP = "/sys/dev/block/7:0";

async function setUp(): Promise<{ bench: DevicesBench; host: HostDevices }> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  await bench.hostTree.file(`${SYS_SDA}/diskseq`, "5\n");
  await bench.disk("loop0", 7, 0);
  await bench.hostTree.file("/srv/a.img", "a");
  await bench.hostTree.file("/srv/b.img", "bb");
  await bench.hostTree.file(`${SYS_LOOP}/loop/backing_file`, "/srv/a.img\n");
  return { bench, host: await HostDevices.open(bench) };
}

interface Change {
  readonly info: DeviceInfo;
  readonly change: (tree: DevicesBench["hostTree"]) => Promise<void> | void;
  readonly code: "device-differs" | "no-such-device";
  /** What the message must say. */
  readonly says: string;
}

const CHANGES: Readonly<Record<string, Change>> = {
  "a loop device of another file": {
    info: LOOP,
    change: (tree) => tree.file(`${SYS_LOOP}/loop/backing_file`, "/srv/b.img\n"),
    code: "device-differs",
    says: "its storage was block 7:0, file",
  },
  "another disk of the same numbers": {
    info: SDA,
    change: (tree) => tree.file(`${SYS_SDA}/diskseq`, "6\n"),
    code: "device-differs",
    says: "its diskseq was 5 and is 6",
  },
  "a disk with another name": {
    info: SDA,
    change: (tree) => tree.file(`${SYS_SDA}/uevent`, "DEVNAME=sdq\n"),
    code: "device-differs",
    says: "its path was /dev/sda and is /dev/sdq",
  },
  "a disk that is gone": {
    info: SDA,
    change: (tree) => tree.remove(SYS_SDA),
    code: "no-such-device",
    says: "/dev/sda no longer",
  },
  "a node of another device": {
    info: SDA,
    change: (tree) => tree.device("/dev/sda", "block", 8, 16),
    code: "device-differs",
    says: "on the host it is block 8:16",
  },
  "a disk that may not be written to": {
    info: SDA,
    change: (tree) => tree.file(`${SYS_SDA}/ro`, "1\n"),
    code: "device-differs",
    says: "its access was read-write and is read-only",
  },
  "another file of the same name": {
    info: IMAGE,
    change: (tree) => tree.file("/srv/a.img", "a"),
    code: "device-differs",
    says: "its storage was file",
  },
  "a file that is gone": {
    info: IMAGE,
    change: (tree) => tree.remove("/srv/a.img"),
    code: "no-such-device",
    says: "/srv/a.img no longer",
  },
};

for (const [what, { info, change, code, says }] of Object.entries(CHANGES)) {
  Deno.test(`HostDevices.attach() and current() refuse ${what}`, async () => {
    const { bench, host } = await setUp();
    const { device: { id } } = await host.register({ info, sandbox: "s1" });
    await host.attach(id, "c1");
    const before = await host.current(id);
    assertEquals(before, host.get(id));
    await change(bench.hostTree);
    const refused = [await assertRejects(() => host.current(id), Fault)];
    await host.detach(id, "c1");
    const idle = host.get(id);
    refused.push(await assertRejects(() => host.attach(id, "c2"), Fault));
    for (const fault of refused) {
      assertEquals(fault.code, code, fault.message);
      assertStringIncludes(fault.message, says);
    }
    assertEquals(host.get(id), idle);
  });
}

Deno.test("HostDevices.attach() and current() take the size that a device has now", async () => {
  const { bench, host } = await setUp();
  const { device: { id } } = await host.register({ info: SDA, sandbox: "s1" });
  await bench.hostTree.file(`${SYS_SDA}/size`, "4096\n");
  const held = await host.attach(id, "c1");
  assertEquals(held.block?.sizeBytes, 4096n * 512n);
  assertObjectMatch(bench.events.facts.at(-1)?.data ?? {}, {
    sizeBytes: { was: "1048576", is: "2097152" },
  });
  await bench.hostTree.file(`${SYS_SDA}/size`, "8192\n");
  assertEquals((await host.current(id)).block?.sizeBytes, 8192n * 512n);
});

Deno.test("HostDevices.register() refuses a container path that is another device", async () => {
  const { bench, host } = await setUp();
  const info: DeviceInfo = { containerPath: "/dev/odd", type: "b", major: 9n, minor: 1n };
  const is: Record<string, () => Promise<void>> = {
    "block 8:0": () => bench.hostTree.device("/dev/odd", "block", 8, 0),
    "char 9:1": () => bench.hostTree.device("/dev/odd", "char", 9, 1),
    "file": () => bench.hostTree.file("/dev/odd", "x"),
  };
  for (const [what, put] of Object.entries(is)) {
    await put();
    const fault = await assertRejects(() => host.register({ info, sandbox: "s1" }), Fault);
    assertEquals(fault.code, "device-differs");
    assertStringIncludes(fault.message, `it is ${what}`);
  }
  await bench.hostTree.device("/dev/odd", "block", 9, 1);
  assertEquals((await host.register({ info, sandbox: "s1" })).created, true);
});
