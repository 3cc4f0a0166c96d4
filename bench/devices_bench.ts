/**
 * What a mapping costs beside a bare Map with string keys, which is the least that could do it.
 * The ledger is in memory: what stable storage costs is measured with the ledger.
 *
 * Run with `deno bench bench/devices_bench.ts`.
 */
import { AnonymousIdentity } from "../src/devices/anonymous_device.ts";
import { type MappingKey, MultiDevice } from "../src/devices/multi_device.ts";
import type { AnonymousDevices } from "../src/devices/anonymous_devices.ts";
import { openAnonymous } from "../tests/support/devices.ts";
import { MemoryLedger } from "../tests/support/ledger.ts";

const KEYS: readonly MappingKey[] = Array.from({ length: 10_000 }, (_, i) => ({
  device: 2050n,
  secondaryDevice: "",
  inode: BigInt(i) * 7919n,
}));

function textOf({ device, inode, secondaryDevice }: MappingKey): string {
  return `${device} ${inode} ${secondaryDevice}`;
}

function mapBare(map: Map<string, bigint>): void {
  for (const key of KEYS) {
    const text = textOf(key);
    if (!map.has(text)) map.set(text, BigInt(map.size + 1));
  }
}

function mapPure(device: MultiDevice): void {
  device.apply(device.plan(KEYS));
}

async function registry(): Promise<AnonymousDevices> {
  const opened = await openAnonymous(new MemoryLedger());
  await opened.create("multi");
  return opened;
}

const fresh = { group: "map 10,000 fresh keys" };

Deno.bench("bare Map", { ...fresh, baseline: true }, () => mapBare(new Map()));

Deno.bench("MultiDevice", fresh, () => {
  mapPure(new MultiDevice(new AnonymousIdentity(1n, undefined)));
});

Deno.bench("AnonymousDevices on a ledger in memory", fresh, async (b) => {
  const opened = await registry();
  b.start();
  await opened.map("anon-1", KEYS);
  b.end();
});

const known = { group: "map 10,000 known keys" };
const bare = new Map<string, bigint>();
mapBare(bare);
const device = new MultiDevice(new AnonymousIdentity(1n, undefined));
mapPure(device);

Deno.bench("bare Map", { ...known, baseline: true }, () => mapBare(bare));

Deno.bench("MultiDevice", known, () => {
  device.known(KEYS);
});

const filled = registry().then(async (opened) => {
  await opened.map("anon-1", KEYS);
  return opened;
});

Deno.bench("AnonymousDevices", known, async () => {
  await (await filled).map("anon-1", KEYS);
});
