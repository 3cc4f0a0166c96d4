import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import { HostDevices } from "../../../src/devices/host/host_devices.ts";
import type { RegisterRequest } from "../../../src/devices/host/registration.ts";
import { render } from "../../../src/devices/render/render.ts";
import type { Rendering, RenderOptions, Step } from "../../../src/devices/render/rendering.ts";
import { DeviceResolver } from "../../../src/devices/resolve/resolve.ts";
import { NativeHostTree } from "../../../src/native/host_tree.ts";
import { Libc } from "../../../src/native/libc.ts";
import { DevicesBench } from "../../support/devices.ts";
import { Program, Qemu } from "../../support/qemu.ts";
import { missingProgram, testWhere } from "../../support/skip.ts";

const missing = missingProgram("qemu-system-x86_64") ?? missingProgram("qemu-storage-daemon");
const IMAGE_BYTES = 16 * 1024 * 1024;

/** Real images and sockets, and held devices that are made of them. */
class Bench implements AsyncDisposable {
  readonly #libc = Libc.open();
  readonly #tree = new NativeHostTree(this.#libc);
  readonly #host: Promise<HostDevices>;
  readonly #programs: Program[] = [];

  private constructor(readonly folder: string) {
    const resolver = new DeviceResolver({ hostTree: this.#tree });
    this.#host = HostDevices.open(Object.assign(new DevicesBench(), { resolver }));
  }

  static async create(): Promise<Bench> {
    return new Bench(await Deno.makeTempDir({ prefix: "innkeeper-qemu-" }));
  }

  async image(name: string, mark = ""): Promise<string> {
    const path = `${this.folder}/${name}`;
    const bytes = new Uint8Array(4096 + mark.length);
    bytes.set(new TextEncoder().encode(mark), 4096);
    await Deno.writeFile(path, bytes);
    await Deno.truncate(path, IMAGE_BYTES);
    return path;
  }

  /** A vhost-user-blk device that a real program serves. */
  async vhostUserBlk(name: string): Promise<string> {
    const socket = `${this.folder}/${name}.sock`;
    const node = `driver=raw,node-name=d,file.driver=file,file.filename=${await this.image(name)}`;
    const address = `addr.type=unix,addr.path=${socket}`;
    this.#programs.push(
      new Program("qemu-storage-daemon", [
        ...["--blockdev", node],
        ...["--export", `type=vhost-user-blk,id=e,node-name=d,${address},writable=on`],
      ]),
    );
    while (!await Deno.stat(socket).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return socket;
  }

  async rendered(request: Partial<RegisterRequest>, options?: RenderOptions): Promise<Rendering> {
    const host = await this.#host;
    const info: DeviceInfo = { containerPath: "/dev/x", type: "b", major: 0n, minor: 0n };
    const { device } = await host.register({ info, sandbox: "s", ...request });
    return render(await host.attach(device.id, "c1"), "qemu", options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]();
    this.#tree[Symbol.dispose]();
    this.#libc[Symbol.dispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

const file = (path: string, driver: string): DeviceInfo => ({
  containerPath: path,
  type: "b",
  major: 0n,
  minor: 0n,
  driverOptions: { "block-driver": driver },
});

/** The same steps, of which one has an argument that QEMU does not know. */
function broken(rendering: Rendering, at: number): Rendering {
  const steps = rendering.steps.map((step, i): Step =>
    i === at && step.type === "qmp"
      ? { ...step, arguments: { ...step.arguments, "no-such-argument": 1 } }
      : step
  );
  return { ...rendering, steps };
}

const CASES: readonly {
  readonly name: string;
  readonly make: (bench: Bench) => Promise<Rendering>;
}[] = [
  {
    name: "virtio-blk",
    make: async (bench) =>
      await bench.rendered({ info: file(await bench.image("a,b.img"), "virtio-blk") }, {
        bus: "rp0",
      }),
  },
  {
    name: "virtio-scsi",
    make: async (bench) =>
      await bench.rendered({
        info: file(await bench.image("scsi.img"), "virtio-scsi"),
        block: { shareRw: true },
      }),
  },
  {
    name: "read-only virtio-scsi",
    make: async (bench) =>
      await bench.rendered({
        info: file(await bench.image("ro.img"), "virtio-scsi"),
        block: { readOnly: true },
      }),
  },
  {
    name: "vhost-user-blk",
    make: async (bench) =>
      await bench.rendered({
        vhostUser: { type: "vhost-user-blk-pci", socketPath: await bench.vhostUserBlk("vub") },
      }, { bus: "rp1" }),
  },
  {
    name: "rng",
    make: async (bench) =>
      await bench.rendered({ rng: { filename: "/dev/urandom" } }, { bus: "rp2" }),
  },
];

for (const { name, make } of CASES) {
  testWhere(`renderQemu() plugs and unplugs ${name} in a real QEMU, twice`, missing, async () => {
    await using bench = await Bench.create();
    await using qemu = await Qemu.start(bench.folder);
    const rendering = await make(bench);
    for (let round = 0; round < 2; round++) {
      assertEquals(await qemu.plug(rendering), { failedAt: undefined });
      assert((await qemu.leftovers()).length >= rendering.steps.length);
      await qemu.unplug(rendering);
      assertEquals(await qemu.leftovers(), []);
    }
  });

  testWhere(
    `renderQemu() takes ${name} back from a real QEMU after a failure at any step`,
    missing,
    async () => {
      await using bench = await Bench.create();
      await using qemu = await Qemu.start(bench.folder);
      const rendering = await make(bench);
      for (const at of rendering.steps.keys()) {
        const { failedAt } = await qemu.plug(broken(rendering, at));
        assertEquals(failedAt, at);
        await qemu.unplug(rendering, failedAt);
        assertEquals(await qemu.leftovers(), []);
      }
      assertEquals(await qemu.plug(rendering), { failedAt: undefined });
    },
  );
}

testWhere(
  "renderQemu() plugs an nvdimm in a real QEMU, and takes it back where it was not taken in",
  missing,
  async () => {
    await using bench = await Bench.create();
    await using qemu = await Qemu.start(bench.folder);
    const path = await bench.image("pmem.img", "NVDIMM_PFN_INFO");
    const info = { ...file(path, "nvdimm"), pmem: true, hostPath: path };
    const rendering = await bench.rendered({ info });
    const { failedAt } = await qemu.plug(broken(rendering, 1));
    assertEquals(failedAt, 1);
    await qemu.unplug(rendering, failedAt);
    assertEquals(await qemu.leftovers(), []);
    assertEquals(await qemu.plug(rendering), { failedAt: undefined });
    assertEquals((await qemu.leftovers()).length, 2);
    const [memory] = await qemu.run("query-memory-devices");
    assertEquals([memory.type, memory.data.size], ["nvdimm", IMAGE_BYTES]);
    // This is why nothing takes the device itself back.
    const id = memory.data.id;
    const refused = await qemu.run("device_del", { id }).then(() => "", (error) => error.message);
    assertStringIncludes(refused, "not supported");
    assertEquals(rendering.undo.map((step) => step.undoes), [0]);
  },
);

testWhere("renderQemu() gives words that a real QEMU starts with", missing, async () => {
  await using bench = await Bench.create();
  const pmem = await bench.image("pmem.img", "NVDIMM_PFN_INFO");
  const renderings = [
    await bench.rendered({ info: { ...file(pmem, "nvdimm"), pmem: true, hostPath: pmem } }),
    await bench.rendered({
      sharedFolder: { type: "virtio-9p", source: bench.folder, tag: "share" },
    }),
  ];
  for (const { make } of CASES) renderings.push(await make(bench));
  const args = renderings.flatMap(({ commandLine = [] }) => commandLine);
  await using qemu = await Qemu.start(bench.folder, args);
  const found = (await qemu.leftovers()).join("\n");
  for (const name of ["nvdimm", "share-", "virtio-drive-", "blk-", "rng-"]) {
    assertStringIncludes(found, name);
  }
});

testWhere("renderQemu() plugs vhost-user-blk in a real QEMU of several CPUs", missing, async () => {
  await using bench = await Bench.create();
  await using qemu = await Qemu.start(bench.folder, ["-smp", "4"]);
  const socketPath = await bench.vhostUserBlk("vub");
  const rendering = await bench.rendered({
    vhostUser: { type: "vhost-user-blk-pci", socketPath },
  }, { bus: "rp1" });
  assertEquals(await qemu.plug(rendering), { failedAt: undefined });
});
