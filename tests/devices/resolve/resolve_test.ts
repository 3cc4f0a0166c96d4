import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import { HOST_ROOTS } from "../../../src/devices/resolve/host_roots.ts";
import { DeviceResolver, type ResolvedDevice } from "../../../src/devices/resolve/resolve.ts";
import { MemoryHostTree } from "../../support/host_tree.ts";
import { testSeed } from "../../support/random.ts";

const STORE = "/run/kata-containers/vhost-user";
const NODES = `${STORE}/block/devices`;
const SOCKETS = `${STORE}/block/sockets`;

const NULL: DeviceInfo = { containerPath: "/dev/mine", type: "c", major: 1n, minor: 3n };
const LOOP: DeviceInfo = { containerPath: "/dev/mine", type: "b", major: 7n, minor: 0n };
const VHOST: DeviceInfo = { containerPath: "/dev/mine", type: "b", major: 241n, minor: 5n };

async function host(): Promise<MemoryHostTree> {
  const tree = new MemoryHostTree();
  await tree.file("/sys/devices/virtual/mem/null/uevent", "MAJOR=1\nMINOR=3\nDEVNAME=null\n");
  await tree.link("/sys/dev/char/1:3", "../../devices/virtual/mem/null");
  await tree.file("/sys/devices/virtual/block/loop0/uevent", "DEVNAME=loop0\nDEVTYPE=disk\n");
  await tree.link("/sys/dev/block/7:0", "../../devices/virtual/block/loop0");
  return tree;
}

function resolve(hostTree: MemoryHostTree, info: DeviceInfo): Promise<ResolvedDevice> {
  return new DeviceResolver({ hostTree }).resolve(info);
}

function resolveStore(hostTree: MemoryHostTree, info: DeviceInfo): Promise<ResolvedDevice> {
  return new DeviceResolver({ hostTree }, { ...HOST_ROOTS, vhostStore: STORE }).resolve(info);
}

async function refused(code: FaultCode, result: () => Promise<unknown>): Promise<string> {
  const fault = await assertRejects(result, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault.message;
}

Deno.test("DeviceResolver.resolve() takes the name from the device's uevent", async () => {
  assertEquals(await resolve(await host(), { ...NULL, hostPath: "/dev/other" }), {
    driver: "generic",
    hostPath: "/dev/null",
    backingFile: undefined,
    evidence: ["/sys/dev/char/1:3/uevent"],
  });
  assertEquals((await resolve(await host(), { ...NULL, type: "u" })).hostPath, "/dev/null");
});

Deno.test("DeviceResolver.resolve() keeps the container's path where sysfs has no such device", async () => {
  const tree = await host();
  for (const info of [{ ...NULL, minor: 4n }, { ...LOOP, type: "c" }, { ...NULL, type: "b" }]) {
    const { hostPath, evidence } = await resolve(tree, info as DeviceInfo);
    assertEquals([hostPath, evidence], ["/dev/mine", []]);
  }
});

Deno.test("DeviceResolver.resolve() looks nowhere for a FIFO", async () => {
  const tree = await host();
  await tree.file("/uevent", "DEVNAME=wrong\n");
  await tree.file("uevent", "DEVNAME=wrong\n");
  assertEquals((await resolve(tree, { ...NULL, type: "p" })).hostPath, "/dev/mine");
  assertEquals(tree.calls, []);
});

Deno.test("DeviceResolver.resolve() refuses an empty container path", async () => {
  const tree = await host();
  await refused("value-not-allowed", () => resolve(tree, { ...NULL, containerPath: "" }));
});

Deno.test("DeviceResolver.resolve() takes only the absence of a uevent for absence", async () => {
  for (const errno of ["EACCES", "EIO", "ENOTDIR", "ELOOP", "ENODEV"]) {
    const tree = await host();
    tree.failing.set("/sys/dev/char/1:3/uevent", errno);
    assertStringIncludes(await refused("device-unreadable", () => resolve(tree, NULL)), errno);
  }
});

Deno.test("DeviceResolver.resolve() refuses a uevent that names no device or cannot be read", async () => {
  for (const text of ["", "MAJOR=1\n", "[x]\nDEVNAME=null\n", "nonsense\n", "DEVNAME=`null"]) {
    const tree = new MemoryHostTree();
    await tree.file("/sys/dev/char/1:3/uevent", text);
    await refused("device-unreadable", () => resolve(tree, NULL));
  }
  const tree = new MemoryHostTree();
  await tree.file("/sys/dev/char/1:3/uevent", new Uint8Array([0x44, 0x3d, 0xff, 0x0a]));
  await refused("device-unreadable", () => resolve(tree, NULL));
  await tree.directory("/sys/dev/char/1:4/uevent");
  await refused("device-unreadable", () => resolve(tree, { ...NULL, minor: 4n }));
});

Deno.test("DeviceResolver.resolve() cleans the name and refuses one that leaves /dev", async () => {
  const resolved = async (name: string) => {
    const tree = new MemoryHostTree();
    await tree.file("/sys/dev/char/1:3/uevent", `DEVNAME=\`${name}\`\n`);
    return await resolve(tree, NULL);
  };
  for (
    const [name, path] of [
      ["null", "/dev/null"],
      ["/null", "/dev/null"],
      ["input/./event0", "/dev/input/event0"],
      ["input//event0/", "/dev/input/event0"],
      ["a/../null", "/dev/null"],
      ["../dev/null", "/dev/null"],
      ["..null", "/dev/..null"],
    ] as const
  ) assertEquals((await resolved(name)).hostPath, path, name);
  for (const name of ["", ".", "/", "..", "../etc/shadow", "../device", "a/../../x", "../../.."]) {
    await refused("device-path-escapes", () => resolved(name));
  }
});

Deno.test("DeviceResolver.resolve() gives no path outside /dev for any DEVNAME", async () => {
  const part = fc.constantFrom("..", ".", "", "a", "dev", "…", "...", "b c");
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), async (parts) => {
      const tree = new MemoryHostTree();
      await tree.file("/sys/dev/char/1:3/uevent", `DEVNAME=\`${parts.join("/")}\`\n`);
      const expected = new URL(`file:///dev/${parts.join("/")}`).pathname;
      const clean = decodeURI(expected).replaceAll(/\/+/g, "/").replace(/(.)\/$/, "$1");
      let path: string | undefined;
      try {
        path = (await resolve(tree, NULL)).hostPath;
      } catch (error) {
        assertEquals((error as Fault).code, "device-path-escapes");
      }
      if (path !== undefined) assertEquals(path.startsWith("/dev/") && path !== "/dev/", true);
      // A URL keeps an empty part that `..` then takes away; only without one both agree.
      if (!parts.includes("")) {
        assertEquals(path, clean.startsWith("/dev/") ? clean : undefined, parts.join("/"));
      }
    }),
    { seed: testSeed() | 0, numRuns: 500 },
  );
});

Deno.test("DeviceResolver.resolve() names the file behind a loop device", async () => {
  const tree = await host();
  assertEquals((await resolve(tree, LOOP)).backingFile, undefined);
  const path = "/sys/dev/block/7:0/loop/backing_file";
  await tree.file("/sys/devices/virtual/block/loop0/loop/backing_file", "  /srv/a disk.img\n");
  assertEquals(await resolve(tree, LOOP), {
    driver: "block",
    hostPath: "/dev/loop0",
    backingFile: "/srv/a disk.img",
    evidence: ["/sys/dev/block/7:0/uevent", path],
  });
  await tree.file("/sys/devices/virtual/block/loop0/loop/backing_file", "\n");
  assertEquals((await resolve(tree, LOOP)).backingFile, undefined);
  tree.failing.set(path, "EACCES");
  await refused("device-unreadable", () => resolve(tree, LOOP));
});

/** An image with the mark of persistent memory, 100 bytes long behind it. */
function pmemImage(mark = "NVDIMM_PFN_INFO"): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(4096 + 100);
  image.set(new TextEncoder().encode(mark), 4096);
  return image;
}

Deno.test("DeviceResolver.resolve() refuses persistent memory whose file has no mark", async () => {
  const tree = await host();
  const info = { ...LOOP, pmem: true, hostPath: "/srv/mine.img" };
  await refused("no-such-device", () => resolve(tree, info));
  for (const content of ["", "short", pmemImage("NVDIMM_PFN_INFX")]) {
    await tree.file("/srv/mine.img", content);
    await refused("not-persistent-memory", () => resolve(tree, info));
  }
  await tree.file("/srv/mine.img", pmemImage());
  assertEquals((await resolve(tree, info)).evidence, ["/srv/mine.img"]);
  tree.failing.set("/srv/mine.img", "EACCES");
  await refused("device-unreadable", () => resolve(tree, info));
  await tree.device("/dev/loop0", "block", 7, 0);
  await refused("device-unreadable", () => resolve(tree, { ...info, hostPath: "/dev/loop0" }));
});

Deno.test("DeviceResolver.resolve() leaves persistent memory at its host path or backing file", async () => {
  const tree = await host();
  await tree.file("/srv/mine.img", pmemImage());
  await tree.file("/srv/nvdimm.img", pmemImage());
  const pmem = { ...LOOP, pmem: true };
  await refused("no-such-device", () => resolve(tree, pmem));
  const given = await resolve(tree, { ...pmem, hostPath: "/srv/mine.img" });
  assertEquals([given.hostPath, given.driver], ["/srv/mine.img", "block"]);
  await tree.file("/sys/devices/virtual/block/loop0/loop/backing_file", "/srv/nvdimm.img\n");
  await tree.device("/dev/loop0", "block", 7, 0);
  const device = await resolve(tree, { ...pmem, hostPath: "/dev/loop0" });
  assertEquals([device.hostPath, device.evidence.at(-1)], ["/dev/loop0", "/srv/nvdimm.img"]);
  assertEquals(await resolve(tree, pmem), {
    driver: "block",
    hostPath: "/srv/nvdimm.img",
    backingFile: "/srv/nvdimm.img",
    evidence: ["/sys/dev/block/7:0/loop/backing_file", "/srv/nvdimm.img"],
  });
  await refused("no-such-device", () => resolve(tree, { ...NULL, pmem: true }));
});

Deno.test("DeviceResolver.resolve() finds the socket of the first vhost-user node by name", async () => {
  const tree = await host();
  await tree.device(`${NODES}/c`, "block", 241, 5);
  await tree.device(`${NODES}/b`, "block", 241, 5);
  await tree.device(`${NODES}/a`, "block", 241, 6);
  await tree.device(`${NODES}/d`, "block", 242, 5);
  await tree.socket(`${SOCKETS}/b`);
  await tree.socket(`${SOCKETS}/d`);
  assertEquals(await resolveStore(tree, VHOST), {
    driver: "vhost-user-blk-pci",
    hostPath: `${SOCKETS}/b`,
    backingFile: undefined,
    evidence: [NODES, `${NODES}/b`, `${SOCKETS}/b`],
  });
  const scsi = await resolveStore(tree, { ...VHOST, major: 242n });
  assertEquals([scsi.driver, scsi.hostPath], ["vhost-user-scsi-pci", `${SOCKETS}/d`]);
});

Deno.test("DeviceResolver.resolve() compares all bits of the numbers of a vhost-user node", async () => {
  const tree = await host();
  await tree.device(`${NODES}/a`, "block", 241, 5);
  await tree.socket(`${SOCKETS}/a`);
  const info = { ...VHOST, minor: 5n + (1n << 32n) };
  await refused("no-such-device", () => resolveStore(tree, info));
});

Deno.test("DeviceResolver.resolve() says what the vhost-user store lacks", async () => {
  const tree = await host();
  await refused("no-such-device", () => resolveStore(tree, VHOST));
  await tree.device(`${NODES}/b`, "block", 241, 6);
  const detail = await refused("no-such-device", () => resolveStore(tree, VHOST));
  assertStringIncludes(detail, "241:5");
  assertStringIncludes(detail, NODES);
  await tree.device(`${NODES}/c`, "block", 241, 5);
  await refused("no-such-device", () => resolveStore(tree, VHOST));
  tree.failing.set(`${SOCKETS}/c`, "EACCES");
  assertEquals((await resolveStore(tree, VHOST)).hostPath, `${SOCKETS}/c`);
});

Deno.test("DeviceResolver.resolve() ends the search of the store at a node that cannot be looked at", async () => {
  const tree = await host();
  await tree.device(`${NODES}/b`, "block", 241, 5);
  await tree.socket(`${SOCKETS}/b`);
  await tree.link(`${NODES}/c`, "nothing");
  assertEquals((await resolveStore(tree, VHOST)).hostPath, `${SOCKETS}/b`);
  await tree.link(`${NODES}/a`, "nothing");
  await refused("device-unreadable", () => resolveStore(tree, VHOST));
  tree.failing.set(NODES, "EACCES");
  await refused("device-unreadable", () => resolveStore(tree, VHOST));
});

Deno.test("DeviceResolver.resolve() asks the store for vhost-user block majors only, and only if there is one", async () => {
  const tree = await host();
  for (const info of [{ ...VHOST, type: "c" }, { ...VHOST, major: 240n }, LOOP]) {
    await resolveStore(tree, info as DeviceInfo);
  }
  await resolve(tree, VHOST);
  assertEquals(tree.calls.filter((path) => path.startsWith(STORE)), []);
  const off = await resolve(tree, VHOST);
  assertEquals([off.driver, off.hostPath], ["vhost-user-blk-pci", "/dev/mine"]);
});

Deno.test("DeviceResolver takes roots with slashes at their ends", async () => {
  const hostTree = await host();
  await hostTree.device(`${NODES}/b`, "block", 241, 5);
  await hostTree.socket(`${SOCKETS}/b`);
  const roots = { ...HOST_ROOTS, sysDev: "/sys/dev/", dev: "/dev//", vhostStore: `${STORE}/` };
  const resolver = new DeviceResolver({ hostTree }, roots);
  assertEquals((await resolver.resolve(NULL)).hostPath, "/dev/null");
  assertEquals((await resolver.resolve(VHOST)).evidence, [NODES, `${NODES}/b`, `${SOCKETS}/b`]);
});

Deno.test("DeviceResolver.driveFile() tells files from devices and how large they are", async () => {
  const hostTree = await host();
  await hostTree.file("/srv/disk.img", "twelve bytes");
  await hostTree.device("/dev/loop0", "block", 7, 0);
  await hostTree.file("/sys/devices/virtual/block/loop0/size", " 2048\n");
  const resolver = new DeviceResolver({ hostTree });
  const file = { isDevice: false, sizeBytes: 12n };
  assertEquals(await resolver.driveFile(LOOP, "/srv/disk.img"), file);
  const device = { isDevice: true, sizeBytes: 2048n * 512n };
  assertEquals(await resolver.driveFile(LOOP, "/dev/loop0"), device);
  for (const size of ["nonsense", "", "-1"]) {
    await hostTree.file("/sys/devices/virtual/block/loop0/size", size);
    const unknown = { isDevice: true, sizeBytes: undefined };
    assertEquals(await resolver.driveFile(LOOP, "/dev/loop0"), unknown);
  }
});

Deno.test("DeviceResolver.driveFile() judges what cannot be looked at by its name", async () => {
  const hostTree = await host();
  const resolver = new DeviceResolver({ hostTree });
  for (const errno of ["ENOENT", "EACCES"]) {
    for (const path of ["/dev/sdz", "/srv/none.img"]) hostTree.failing.set(path, errno);
    const [device, file] = [await resolver.driveFile(LOOP, "/dev/sdz")]
      .concat(await resolver.driveFile(LOOP, "/srv/none.img"));
    assertEquals([device?.isDevice, file?.isDevice], [true, false]);
  }
});
