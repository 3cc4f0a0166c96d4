import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import type { HostDevice } from "../../../src/devices/host/host_device.ts";
import { HostDevices } from "../../../src/devices/host/host_devices.ts";
import type { RegisterRequest } from "../../../src/devices/host/registration.ts";
import { render } from "../../../src/devices/render/render.ts";
import {
  type Hypervisor,
  HYPERVISORS,
  type Rendering,
  type RenderOptions,
} from "../../../src/devices/render/rendering.ts";
import { DevicesBench } from "../../support/devices.ts";

const SDA: DeviceInfo = { containerPath: "/dev/a", type: "b", major: 8n, minor: 0n };
const GROUP: DeviceInfo = { containerPath: "/dev/vfio/12", type: "c", major: 240n, minor: 12n };
const MAC = "52:54:00:12:34:56";

/** The first id that the seeded source gives. */
const ID = "e7074345ff94ba57";

async function held(request: Partial<RegisterRequest>): Promise<HostDevice> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  await bench.group(12, [{ bdf: "0000:01:00.0" }, { bdf: "0000:01:00.1", pcie: false }]);
  await bench.group(13, [{
    bdf: "0001:02:00.0",
    pcie: false,
    resource: "0x0000000000000000 0x0000000000000fff 0x0\n0x2000000000 0x23ffffffff 0x14220c\n",
  }]);
  await bench.hostTree.link(
    "/sys/kernel/iommu_groups/14/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
    "../../../../devices/pci0000:00/0000:00:02.0/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
  );
  await bench.hostTree.file("/sys/dev/char/240:14/uevent", "DEVNAME=vfio/14\n");
  const host = await HostDevices.open(bench);
  const { device } = await host.register({ info: SDA, sandbox: "s", ...request });
  assertEquals(device.id, ID);
  return await host.attach(device.id, "c1");
}

async function rendered(
  hypervisor: Hypervisor,
  request: Partial<RegisterRequest>,
  options?: RenderOptions,
): Promise<Rendering> {
  return render(await held(request), hypervisor, options);
}

const driver = (name: string): Partial<RegisterRequest> => ({
  info: { ...SDA, driverOptions: { "block-driver": name } },
});
const fs = {
  vhostUser: { type: "vhost-user-fs-pci", socketPath: "/run/fs", tag: "t", cacheSize: 512 },
} as const;
const net = {
  vhostUser: { type: "virtio-net-pci", socketPath: "/run/net", macAddress: MAC },
} as const;
const blk = { vhostUser: { type: "vhost-user-blk-pci", socketPath: "/run/blk" } } as const;
const scsi = { vhostUser: { type: "vhost-user-scsi-pci", socketPath: "/run/scsi" } } as const;
const rng = { rng: { filename: "/dev/hwrng" } };
const folder = (type: "virtio-fs" | "virtio-9p", readOnly = true) => ({
  sharedFolder: { type, source: "/srv/share", tag: "t", readOnly },
});
const vfio = { info: GROUP };
const generic = { kind: "generic" } as const;

Deno.test("render() says for every hypervisor what it can take and what it cannot", async () => {
  const requests: Record<string, Partial<RegisterRequest>> = {
    block: {},
    nvdimm: driver("nvdimm"),
    ccw: driver("virtio-blk-ccw"),
    mmio: driver("virtio-mmio"),
    qcow2: { block: { format: "qcow2" } },
    vhdx: { block: { format: "vhdx" } },
    vfio,
    ...{ blk, scsi, net, fs, rng, generic },
    "virtio-fs": folder("virtio-fs"),
    "virtio-9p": folder("virtio-9p"),
    "virtio-fs, writable": folder("virtio-fs", false),
    "virtio-9p, writable": folder("virtio-9p", false),
    "shared disk": { block: { shareRw: true } },
    "shared, read-only": { block: { shareRw: true, readOnly: true } },
    "shared nvdimm": { ...driver("nvdimm"), block: { shareRw: true } },
    "shared qcow2": { block: { shareRw: true, format: "qcow2" } },
    "shared vmdk": { block: { shareRw: true, format: "vmdk" } },
  };
  const said: Record<string, string> = {};
  for (const [name, request] of Object.entries(requests)) {
    const device = await held(request);
    const plugs = HYPERVISORS.map((hypervisor) => {
      try {
        return render(device, hypervisor).plug;
      } catch (error) {
        assert(error instanceof Fault && error.code === "not-renderable");
        assert(String(error.members["reason"]).length > 0);
        return "no";
      }
    });
    said[name] = plugs.join(" ");
  }
  assertEquals(said, {
    block: "hot hot hot cold cold",
    nvdimm: "hot hot hot no cold",
    ccw: "no no hot no no",
    mmio: "hot hot cold cold cold",
    qcow2: "no hot hot cold cold",
    vhdx: "no hot hot no no",
    vfio: "no hot hot no hot",
    blk: "cold hot hot no cold",
    scsi: "no no hot no no",
    net: "no hot hot no cold",
    fs: "no hot cold no cold",
    rng: "no no hot no no",
    generic: "no no no no no",
    "virtio-fs": "no no no cold no",
    "virtio-9p": "no no cold no no",
    "virtio-fs, writable": "no no no cold cold",
    "virtio-9p, writable": "no no cold no cold",
    "shared disk": "hot no hot cold cold",
    "shared, read-only": "hot no hot cold cold",
    "shared nvdimm": "hot hot hot no cold",
    "shared qcow2": "no no no no no",
    "shared vmdk": "no no no no no",
  });
});

Deno.test("render() keeps what a guest flushes, unless it is asked not to", async () => {
  const said = async (block: RegisterRequest["block"]) => {
    const device = await held({ block });
    return HYPERVISORS.map((hypervisor) => {
      const { steps: [step], notes } = render(device, hypervisor);
      if (step?.type === "qmp") return step.arguments["cache"];
      if (step?.type === "call") return step.arguments["sync_mode"];
      const word = step?.type === "http" ? step.body?.["cache_type"] : undefined;
      return word ?? notes.some((note) => note.includes("flushes always"));
    });
  };
  const flushed = ["Writeback", false, { direct: false, "no-flush": false }, 2, false];
  assertEquals(await said({}), flushed);
  assertEquals(await said({ cacheType: "writeback" }), flushed);
  assertEquals(await said({ cacheType: "unsafe" }), [
    ...["Unsafe", true, { direct: false, "no-flush": true }, 0, true],
  ]);
});

Deno.test("render() makes no SCSI disk a virtio-blk disk without a word", async () => {
  const device = await held({});
  const chosen = await held(driver("virtio-scsi"));
  for (const hypervisor of HYPERVISORS.filter((name) => name !== "qemu")) {
    assert(render(device, hypervisor).notes.some((note) => note.includes("virtio-blk")));
    assertThrows(() => render(chosen, hypervisor), Fault, "no SCSI disks");
    const plain = await held(driver("virtio-blk"));
    assertEquals(render(plain, hypervisor).notes.some((note) => note.includes("SCSI")), false);
  }
  assertEquals(render(chosen, "qemu").plug, "hot");
});

Deno.test("render() refuses by name what no hypervisor opens or nobody here can try", async () => {
  const socketPath = (bytes: number) => "/run/".padEnd(bytes - 2, "x") + "é";
  const blkAt = (bytes: number) => ({
    vhostUser: { ...blk.vhostUser, socketPath: socketPath(bytes) },
  });
  assertEquals((await rendered("qemu", blkAt(107))).plug, "hot");
  const tooLong = await held(blkAt(108));
  const group = await held({ info: { ...GROUP, minor: 14n } });
  const [mediated] = group.vfio ?? [];
  assert(mediated !== undefined);
  const uuid = mediated.sysfsDev.slice(mediated.sysfsDev.lastIndexOf("/"));
  const withPath = (sysfsDev: string) => ({ ...group, vfio: [{ ...mediated, sysfsDev }] });
  const normal = { ...mediated, type: "normal", bdf: "10000:01:00.0" } as const;
  const cases: readonly (readonly [HostDevice, string])[] = [
    [tooLong, "108 bytes"],
    [withPath(`/sys/devices/vfio_ap/matrix${uuid}`), "vfio-ap"],
    [withPath(`/sys/devices/css0/0.0.0313/0.0.2c1e${uuid}`), "vfio-ccw"],
    [{ ...group, vfio: [normal] }, "10000:01:00.0 has a PCI domain"],
  ];
  for (const [device, says] of cases) {
    for (const hypervisor of ["qemu", "cloud-hypervisor", "crosvm"] as const) {
      const fault = assertThrows(() => render(device, hypervisor), Fault, says);
      assertEquals(fault.code, "not-renderable");
    }
  }
});

Deno.test("renderQemu() asks a vhost-user-blk backend for one queue, whatever CPUs there are", async () => {
  const { steps: [, step] } = await rendered("qemu", blk);
  assertEquals(step?.type === "qmp" && step.arguments["num-queues"], 1);
});

Deno.test("render() gives an image as what it is, or not at all", async () => {
  const said: Record<string, string> = {};
  const formats = [
    "ext4",
    "iso9660",
    "vhd",
    "vpc",
    "vdi",
    "qed",
    "qcow",
    "luks",
    "vmdk",
    "parallels",
  ];
  for (const format of [...formats, "nvdimm of qcow2"]) {
    const isPmem = format.startsWith("nvdimm");
    const device = await held({
      ...(isPmem ? driver("nvdimm") : {}),
      block: { format: isPmem ? "qcow2" : format },
    });
    said[format] = HYPERVISORS.map((hypervisor) => {
      try {
        const [step] = render(device, hypervisor).steps;
        if (step?.type === "qmp") return step.arguments["driver"];
        if (step?.type === "http") return step.body?.["image_type"] ?? "raw";
        return step?.type === "call" ? step.arguments["disk_format"] : "auto";
      } catch (error) {
        assert(error instanceof Fault && error.code === "not-renderable");
        return "no";
      }
    }).join(" ");
  }
  assertEquals(said, {
    ext4: "raw Raw raw 0 auto",
    iso9660: "raw Raw raw 0 auto",
    vhd: "no FixedVhd vpc no no",
    vpc: "no FixedVhd vpc no no",
    vdi: "no no vdi no no",
    qed: "no no qed no no",
    qcow: "no no qcow no no",
    luks: "no no no no no",
    vmdk: "no no vmdk 2 no",
    parallels: "no no no no no",
    "nvdimm of qcow2": "no no no no no",
  });
});

Deno.test("render() refuses a device that nobody holds: it has no numbers", async () => {
  const device = await held({});
  for (const hypervisor of HYPERVISORS) {
    const fault = assertThrows(() => render({ ...device, holders: [] }, hypervisor), Fault);
    assertStringIncludes(fault.message, "attach it first");
  }
});

Deno.test("renderFirecracker() makes ids of letters, digits and underscores", async () => {
  const { steps, undo, notes } = await rendered("firecracker", { block: { readOnly: true } });
  assert(notes.some((note) => note.includes("refuses the step back")));
  assertEquals(steps, [{
    type: "http",
    method: "PUT",
    path: `/drives/drive_${ID}`,
    body: {
      drive_id: `drive_${ID}`,
      path_on_host: "/dev/sda",
      is_root_device: false,
      is_read_only: true,
      cache_type: "Writeback",
    },
  }]);
  assertEquals(undo, [{
    type: "http",
    method: "DELETE",
    path: `/drives/drive_${ID}`,
    undoes: 0,
  }]);
  const [socket] = (await rendered("firecracker", blk)).steps;
  assertEquals(socket, {
    type: "http",
    method: "PUT",
    path: `/drives/blk_${ID}`,
    body: {
      drive_id: `blk_${ID}`,
      is_root_device: false,
      cache_type: "Writeback",
      socket: "/run/blk",
    },
  });
  const [pmem] = (await rendered("firecracker", driver("nvdimm"))).steps;
  assertEquals(pmem?.type === "http" && pmem.body, {
    id: `drive_${ID}`,
    path_on_host: "/dev/sda",
    read_only: false,
  });
});

Deno.test("renderCloudHypervisor() adds each device and removes it by its id", async () => {
  const body = async (request: Partial<RegisterRequest>) => {
    const { steps, undo } = await rendered("cloud-hypervisor", request);
    assertEquals(
      undo.map((step) => step.type === "http" && [step.path, step.undoes]),
      steps.map((_, i) => ["/api/v1/vm.remove-device", steps.length - 1 - i]),
    );
    return steps.map((step) => step.type === "http" && [step.path, step.body]);
  };
  assertEquals(await body({}), [["/api/v1/vm.add-disk", {
    id: `drive-${ID}`,
    path: "/dev/sda",
    readonly: false,
    image_type: "Raw",
  }]]);
  assertEquals(await body(driver("nvdimm")), [
    ["/api/v1/vm.add-pmem", { id: `drive-${ID}`, file: "/dev/sda" }],
  ]);
  assertEquals(await body(vfio), [
    ["/api/v1/vm.add-device", {
      id: `vfio-${ID}0`,
      path: "/sys/bus/pci/devices/0000:01:00.0/",
    }],
    ["/api/v1/vm.add-device", {
      id: `vfio-${ID}1`,
      path: "/sys/bus/pci/devices/0000:01:00.1/",
    }],
  ]);
  assertEquals(await body(blk), [["/api/v1/vm.add-disk", {
    id: `blk-${ID}`,
    vhost_user: true,
    vhost_socket: "/run/blk",
  }]]);
  assertEquals(await body(net), [["/api/v1/vm.add-net", {
    id: `net-${ID}`,
    vhost_user: true,
    vhost_socket: "/run/net",
    vhost_mode: "Client",
    mac: MAC,
  }]]);
  assertEquals(await body(fs), [["/api/v1/vm.add-fs", {
    id: `fs-${ID}`,
    tag: "t",
    socket: "/run/fs",
    num_queues: 1,
    queue_size: 1024,
  }]]);
});

const qmp = ({ steps, undo }: Rendering) =>
  [...steps, ...undo].map((step) => step.type === "qmp" && [step.execute, step.arguments]);

Deno.test("renderQemu() puts a drive's node below its device and takes it away after the event", async () => {
  const rendering = await rendered("qemu", driver("virtio-blk"), { bus: "rp3", addr: "0" });
  const node = `drive-${ID}`;
  assertEquals(qmp(rendering), [
    ["blockdev-add", {
      driver: "raw",
      "node-name": node,
      "read-only": false,
      cache: { direct: false, "no-flush": false },
      file: { driver: "host_device", filename: "/dev/sda", aio: "threads" },
    }],
    ["device_add", {
      driver: "virtio-blk-pci",
      id: `virtio-${node}`,
      drive: node,
      bus: "rp3",
      addr: "0",
    }],
    ["device_del", { id: `virtio-${node}` }],
    ["blockdev-del", { "node-name": node }],
  ]);
  assertEquals(rendering.undo.map(({ undoes }) => undoes), [1, 0]);
  assertEquals(rendering.waitFor, [
    { afterUndo: 0, event: "DEVICE_DELETED", data: { device: `virtio-${node}` } },
  ]);
});

Deno.test("renderQemu() addresses SCSI disks by target and unit, and shares where it is asked", async () => {
  const shared = await rendered("qemu", { block: { shareRw: true } });
  assertEquals(qmp(shared)[1], ["device_add", {
    driver: "scsi-hd",
    id: `virtio-drive-${ID}`,
    drive: `drive-${ID}`,
    "share-rw": true,
    bus: "scsi0.0",
    channel: 0,
    "scsi-id": 0,
    lun: 0,
  }]);
  const device = await held({});
  assert(device.block !== undefined);
  const far = { ...device, block: { ...device.block, scsiAddr: "3:17" } };
  const [, step] = render(far, "qemu").steps;
  assertEquals(step?.type === "qmp" && [step.arguments["scsi-id"], step.arguments["lun"]], [3, 17]);
});

Deno.test("renderQemu() plugs VFIO devices behind their ports, mediated ones by their path", async () => {
  assertEquals(qmp(await rendered("qemu", vfio)).slice(0, 2), [
    ["device_add", { driver: "vfio-pci", id: `vfio-${ID}0`, host: "0000:01:00.0", bus: "rp0" }],
    ["device_add", { driver: "vfio-pci", id: `vfio-${ID}1`, host: "0000:01:00.1" }],
  ]);
  const mediated = await rendered("qemu", { info: { ...GROUP, minor: 14n } });
  assertEquals(qmp(mediated)[0], ["device_add", {
    driver: "vfio-pci",
    id: `vfio-${ID}0`,
    sysfsdev: "/sys/devices/pci0000:00/0000:00:02.0/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
  }]);
});

Deno.test("renderQemu() plugs a device with a large memory region before the machine runs only", async () => {
  const large = await rendered("qemu", { info: { ...GROUP, minor: 13n } });
  assertEquals([large.plug, large.commandLine], [
    "cold",
    ["-device", `vfio-pci,id=vfio-${ID}0,host=0001:02:00.0`],
  ]);
});

Deno.test("renderQemu() builds a network device of three parts and unbuilds them from the top", async () => {
  const rendering = await rendered("qemu", net, { bus: "rp1" });
  assertEquals(qmp(rendering).map((step) => step && step[0]), [
    ...["chardev-add", "netdev_add", "device_add"],
    ...["device_del", "netdev_del", "chardev-remove"],
  ]);
  assertEquals(rendering.commandLine, [
    ...["-chardev", `socket,id=char-net-${ID},path=/run/net`],
    ...["-netdev", `vhost-user,id=netdev-net-${ID},chardev=char-net-${ID},vhostforce=on`],
    "-device",
    `virtio-net-pci,id=net-${ID},netdev=netdev-net-${ID},mac=${MAC},bus=rp1`,
  ]);
  assertEquals((await rendered("qemu", fs)).commandLine, [
    ...["-chardev", `socket,id=char-fs-${ID},path=/run/fs`],
    "-device",
    `vhost-user-fs-pci,id=fs-${ID},chardev=char-fs-${ID},tag=t,queue-size=1024`,
  ]);
  assert((await rendered("qemu", fs)).notes.some((note) => note.includes("cacheSize")));
});

Deno.test("renderLibkrun() calls before the start", async () => {
  const [disk] = (await rendered("libkrun", { block: { format: "qcow2", readOnly: true } })).steps;
  assertEquals(disk, {
    type: "call",
    function: "krun_add_disk3",
    arguments: {
      block_id: `drive-${ID}`,
      disk_path: "/dev/sda",
      disk_format: 1,
      read_only: true,
      direct_io: false,
      sync_mode: 2,
    },
  });
  const [share] = (await rendered("libkrun", folder("virtio-fs"))).steps;
  assertEquals(share, {
    type: "call",
    function: "krun_add_virtiofs3",
    arguments: { tag: "t", path: "/srv/share", shm_size: 0, read_only: true },
  });
});

Deno.test("renderCrosvm() writes options as crosvm reads them", async () => {
  const commandLine = async (request: Partial<RegisterRequest>) =>
    (await rendered("crosvm", request)).commandLine?.join(" ");
  assertEquals(
    await commandLine({ block: { readOnly: true } }),
    `--block path=/dev/sda,ro=true,id=${`drive-${ID}`.slice(0, 20)}`,
  );
  assertEquals(
    await commandLine({ block: { shareRw: true } }),
    `--block path=/dev/sda,ro=false,lock=false,id=${`drive-${ID}`.slice(0, 20)}`,
  );
  assertEquals(await commandLine(driver("nvdimm")), "--pmem path=/dev/sda,ro=false");
  assertEquals(await commandLine(blk), "--vhost-user type=block,socket=/run/blk");
  assertEquals(await commandLine(folder("virtio-9p", false)), "--shared-dir /srv/share:t:type=p9");
  const { steps, undo } = await rendered("crosvm", vfio);
  assertEquals([steps[1], undo[0]], [{
    type: "command",
    arguments: ["vfio", "add", "/sys/bus/pci/devices/0000:01:00.1", "{socket}"],
  }, {
    type: "command",
    arguments: ["vfio", "remove", "/sys/bus/pci/devices/0000:01:00.1", "{socket}"],
    undoes: 1,
  }]);
  const comma = { info: { ...SDA, major: 0n, containerPath: "/srv/a,b" } };
  const device = await held(comma);
  assertThrows(() => render(device, "crosvm"), Fault, "comma");
});
