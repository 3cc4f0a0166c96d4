import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Fault } from "../../../src/core/faults.ts";
import type { DeviceInfo } from "../../../src/devices/resolve/device_info.ts";
import {
  blockIndexOf,
  type HostDevice,
  rootPortsOf,
} from "../../../src/devices/host/host_device.ts";
import { HostDevices } from "../../../src/devices/host/host_devices.ts";
import { DevicesBench } from "../../support/devices.ts";
import { testSeed } from "../../support/random.ts";

type Act =
  | { readonly do: "attach" | "detach"; readonly device: number; readonly holder: number }
  | { readonly do: "delete" | "register"; readonly device: number }
  | { readonly do: "reopen" };

/** What fails while one act runs: the ledger, a path of the host, or nothing. */
type Failure = "none" | "ledger" | { readonly path: string; readonly errno: string };

const DEVICES: readonly (DeviceInfo & { readonly sandbox: string })[] = [
  { sandbox: "a", containerPath: "/a", type: "b", major: 8n, minor: 0n },
  { sandbox: "a", containerPath: "/b", type: "b", major: 8n, minor: 16n },
  { sandbox: "b", containerPath: "/c", type: "b", major: 8n, minor: 32n },
  { sandbox: "a", containerPath: "/v", type: "c", major: 240n, minor: 12n },
  { sandbox: "a", containerPath: "/w", type: "c", major: 240n, minor: 13n },
];

/** Every path that registering or attaching one of them reads. */
const PATHS = [
  ...["8:0", "8:16", "8:32"].flatMap((number) => [
    `/sys/dev/block/${number}/uevent`,
    `/sys/dev/block/${number}/size`,
    `/sys/dev/block/${number}/loop/backing_file`,
  ]),
  ...["/dev/sda", "/sys/dev/char/240:12/uevent", "/sys/kernel/iommu_groups/12/devices"],
  ...["config", "class", "vendor", "device", "resource"].map((name) =>
    `/sys/bus/pci/devices/0000:01:00.0/${name}`
  ),
  "/sys/bus/pci/slots",
  "/sys/kernel/iommu_groups/13/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
];

const device = fc.nat({ max: DEVICES.length - 1 });
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("attach" as const, "detach" as const),
      device,
      holder: fc.nat({ max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("delete" as const, "register" as const),
      device,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
);
const failure: fc.Arbitrary<Failure> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("none" as const) },
  { weight: 1, arbitrary: fc.constant("ledger" as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      path: fc.constantFrom(...PATHS),
      errno: fc.constantFrom("EACCES", "EIO", "ENOENT"),
    }),
  },
);

async function setUp(): Promise<DevicesBench> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  await bench.disk("sdb", 8, 16);
  await bench.disk("sdc", 8, 32);
  await bench.group(12, [{ bdf: "0000:01:00.0" }, { bdf: "0000:01:00.1" }]);
  await bench.group(13, [{ bdf: "0000:02:00.0" }]);
  await bench.hostTree.link(
    "/sys/kernel/iommu_groups/13/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
    "../../../../devices/pci0000:00/0000:00:02.0/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
  );
  return bench;
}

/**
 * What the naive model holds: who holds the device of each id, in the order in which they came.
 * One number can have two ids: without its uevent a host path is the container's, which names
 * another device.
 */
type Model = Map<string, Set<string>>;

const NO_DEVICE = "0000000000000000";

async function perform(
  host: HostDevices,
  one: Exclude<Act, { do: "reopen" }>,
  ids: Map<number, string>,
): Promise<Fault | undefined> {
  const id = ids.get(one.device) ?? NO_DEVICE;
  try {
    if (one.do === "attach") await host.attach(id, `c${one.holder}`);
    else if (one.do === "detach") await host.detach(id, `c${one.holder}`);
    else if (one.do === "delete") await host.delete(id);
    else {
      const { sandbox, ...info } = DEVICES[one.device] as typeof DEVICES[number];
      ids.set(one.device, (await host.register({ info, sandbox })).device.id);
    }
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

function applyTo(model: Model, one: Exclude<Act, { do: "reopen" }>, id: string): void {
  const holders = model.get(id);
  if (one.do === "attach") holders?.add(`c${one.holder}`);
  else if (one.do === "detach") holders?.delete(`c${one.holder}`);
  else if (one.do === "delete") model.delete(id);
  else if (holders === undefined) model.set(id, new Set());
}

/** Requires that no index, port or name exists without a holder, and none exists twice. */
function requireSound(devices: readonly HostDevice[]): void {
  for (const sandbox of ["a", "b"]) {
    const there = devices.filter((one) => one.sandbox === sandbox);
    for (
      const numbers of [there.flatMap((one) => blockIndexOf(one) ?? []), there.flatMap(rootPortsOf)]
    ) {
      assertEquals(new Set(numbers).size, numbers.length);
    }
  }
  for (const { holders, block, vfio, kind } of devices) {
    const isHeld = holders.length > 0;
    assertEquals(vfio !== undefined, kind === "vfio" && isHeld);
    const isPlugged = kind === "block" && isHeld;
    assertEquals(
      [block?.index, block?.scsiAddr].map((one) => one !== undefined),
      [isPlugged, isPlugged],
    );
  }
}

Deno.test("HostDevices leaves no index, port or holder behind whatever fails on the way", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(act, failure), { maxLength: 40 }),
      async (acts) => {
        const bench = await setUp();
        let host = await HostDevices.open(bench);
        const model: Model = new Map();
        const ids = new Map<number, string>();
        for (const [one, failure] of acts) {
          if (one.do === "reopen") {
            const before = host.list();
            host = await HostDevices.open(bench);
            assertEquals(host.list(), before);
            continue;
          }
          const before = host.list();
          if (failure === "ledger") bench.ledger.failing = new Error("disk is full");
          else if (failure !== "none") bench.hostTree.failing.set(failure.path, failure.errno);
          const fault = await perform(host, one, ids);
          bench.ledger.failing = undefined;
          bench.hostTree.failing.clear();
          if (fault === undefined) applyTo(model, one, ids.get(one.device) ?? NO_DEVICE);
          else assertEquals(host.list(), before, `${one.do}: ${fault.code}`);
          requireSound(host.list());
          for (const [id, holders] of model) {
            const names = host.get(id).holders.map(({ name }) => name);
            assertEquals(names, [...holders]);
          }
          assertEquals(host.count, model.size);
        }
        for (const [id, holders] of model) {
          for (const holder of holders) await host.detach(id, holder);
        }
        for (const { block, vfio, holders } of host.list()) {
          assertEquals([block?.index, vfio, holders], [undefined, undefined, []]);
        }
        assertEquals(bench.clock.pending, 0);
      },
    ),
    { seed: testSeed() | 0, numRuns: 300 },
  );
});
