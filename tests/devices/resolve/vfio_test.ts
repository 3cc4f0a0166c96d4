import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { HOST_ROOTS } from "../../../src/devices/resolve/host_roots.ts";
import { VfioGroups } from "../../../src/devices/resolve/vfio.ts";
import { DevicesBench } from "../../support/devices.ts";

async function refused(code: FaultCode, groups: VfioGroups, path: string): Promise<void> {
  assertEquals((await assertRejects(() => groups.devices(path), Fault)).code, code);
}

function setUp(): { bench: DevicesBench; groups: VfioGroups } {
  const bench = new DevicesBench();
  return { bench, groups: new VfioGroups(bench.hostTree, HOST_ROOTS) };
}

Deno.test("VfioGroups.devices() gives the devices of a group by name, without bridges", async () => {
  const { bench, groups } = setUp();
  await bench.group(7, [
    { bdf: "0000:01:00.1", class: "0x040300" },
    { bdf: "0000:01:00.0", class: "0x030000" },
    { bdf: "0000:00:01.0", class: "0x060400" },
    { bdf: "0000:00:00.0", class: "0x060000" },
    { bdf: "0000:00:02.0", class: "0x068000" },
  ]);
  const devices = await groups.devices("/dev/vfio/7");
  assertEquals(devices.map(({ bdf }) => bdf), ["0000:00:02.0", "0000:01:00.0", "0000:01:00.1"]);
});

Deno.test("VfioGroups.devices() keeps the domain of an address, long ones too", async () => {
  const { bench, groups } = setUp();
  await bench.group(7, [{ bdf: "10000:e1:00.0" }]);
  assertEquals((await groups.devices("/dev/vfio/7"))[0]?.bdf, "10000:e1:00.0");
});

Deno.test("VfioGroups.devices() knows PCI Express by the configuration space, else by the slot", async () => {
  const { bench, groups } = setUp();
  await bench.group(7, [
    { bdf: "0000:01:00.0", pcie: true },
    { bdf: "0000:02:00.0", pcie: false },
    { bdf: "0000:03:00.0", pcie: false },
  ]);
  const slots = "/sys/bus/pci/slots";
  await bench.hostTree.file(`${slots}/1/address`, "0000:02:00\n");
  await bench.hostTree.file(`${slots}/1/max_bus_speed`, "8.0 GT/s PCIe\n");
  await bench.hostTree.file(`${slots}/2/address`, "0000:03:00\n");
  await bench.hostTree.file(`${slots}/2/max_bus_speed`, "66 MHz PCI\n");
  const devices = await groups.devices("/dev/vfio/7");
  assertEquals(devices.map(({ isPcie }) => isPcie), [true, true, false]);
});

Deno.test("VfioGroups.devices() finds memory regions above 4 GiB", async () => {
  const { bench, groups } = setUp();
  const none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
  const region = (end: bigint) =>
    `${none}0x0000002000000000 0x${(0x2000000000n + end - 1n).toString(16)} 0x000000000014220c\n`;
  const GIB = 1n << 30n;
  await bench.group(7, [
    { bdf: "0000:01:00.0", resource: region(4n * GIB) },
    { bdf: "0000:02:00.0", resource: region(8n * GIB) },
    { bdf: "0000:03:00.0", resource: "nonsense\n0x0 0xzz\n" },
    { bdf: "0000:04:00.0", resource: region(1n << 63n) },
  ]);
  const devices = await groups.devices("/dev/vfio/7");
  assertEquals(devices.map(({ largeBar }) => largeBar), [false, true, false, true]);
});

Deno.test("VfioGroups.devices() names the parent of a mediated device", async () => {
  const { bench, groups } = setUp();
  const uuid = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
  const folder = "/sys/kernel/iommu_groups/9/devices";
  await bench.hostTree.link(`${folder}/${uuid}`, `../../../../devices/pci0/0000:00:02.0/${uuid}`);
  const [device] = await groups.devices("/dev/vfio/9");
  assertEquals([device?.type, device?.bdf, device?.sysfsDev], [
    "mediated",
    "0000:00:02.0",
    `/sys/devices/pci0/0000:00:02.0/${uuid}`,
  ]);
  await bench.hostTree.link(`${folder}/${uuid}`, `/sys/devices/virtual/mtty/${uuid}`);
  assertEquals((await groups.devices("/dev/vfio/9"))[0]?.bdf, "");
});

Deno.test("VfioGroups.devices() says what keeps a group from being used", async () => {
  const { bench, groups } = setUp();
  await refused("no-such-device", groups, "/dev/vfio/7");
  await bench.group(7, [{ bdf: "0000:00:01.0", class: "0x060400" }]);
  await refused("iommu-group-unusable", groups, "/dev/vfio/7");
  await bench.hostTree.file("/sys/kernel/iommu_groups/8/devices/odd", "");
  await refused("iommu-group-unusable", groups, "/dev/vfio/8");
  bench.hostTree.failing.set("/sys/kernel/iommu_groups/7/devices", "EACCES");
  await refused("device-unreadable", groups, "/dev/vfio/7");
});

Deno.test("VfioGroups.devices() goes on where a class or an id cannot be read", async () => {
  const { bench, groups } = setUp();
  await bench.group(7, [{ bdf: "0000:01:00.0" }]);
  for (const name of ["class", "vendor", "device", "resource", "config"]) {
    bench.hostTree.failing.set(`/sys/bus/pci/devices/0000:01:00.0/${name}`, "EIO");
  }
  const [device] = await groups.devices("/dev/vfio/7");
  assertEquals([device?.class, device?.vendorId, device?.isPcie, device?.largeBar], [
    "",
    "",
    false,
    false,
  ]);
});

Deno.test("VfioGroups.devices() names the devices that drivers of the host have", async () => {
  const { bench, groups } = setUp();
  const drivers = {
    "0000:01:00.0": "vfio-pci",
    "0000:01:00.1": "snd_hda_intel",
    "0000:01:00.2": "mlx5-vfio-pci",
    "0000:01:00.3": "pci-stub",
    "0000:01:00.4": "xhci_hcd",
    "0000:00:01.0": "pcieport",
  };
  const bind = (bdf: string, driver: string) =>
    bench.hostTree.link(`/sys/bus/pci/devices/${bdf}/driver`, `../../../bus/pci/drivers/${driver}`);
  await bench.group(
    7,
    Object.keys(drivers).map((bdf) => bdf.includes(":00:") ? { bdf, class: "0x060400" } : { bdf }),
  );
  assertEquals((await groups.devices("/dev/vfio/7")).length, 5, "without drivers");
  for (const [bdf, driver] of Object.entries(drivers)) await bind(bdf, driver);
  const fault = await assertRejects(() => groups.devices("/dev/vfio/7"), Fault);
  assertEquals(fault.code, "iommu-group-unusable");
  assertStringIncludes(fault.message, ": 0000:01:00.1 (snd_hda_intel), 0000:01:00.4 (xhci_hcd):");
  for (const bdf of ["0000:01:00.1", "0000:01:00.4"]) await bind(bdf, "vfio-pci");
  assertEquals((await groups.devices("/dev/vfio/7")).length, 5);
  bench.hostTree.failing.set("/sys/bus/pci/devices/0000:01:00.0/driver", "EACCES");
  await refused("device-unreadable", groups, "/dev/vfio/7");
});
