/**
 * What a mapping costs beside a bare Map with string keys, which is the least that could do it.
 * Over HTTP the ledger is a real one; in process it is in memory.
 *
 * Run with `deno bench bench/devices_bench.ts`.
 */
import { admin } from "../src/access/tokens.ts";
import { AnonymousIdentity } from "../src/devices/anonymous/identity.ts";
import type { MappingKey } from "../src/devices/anonymous/mapping.ts";
import { MultiDevice } from "../src/devices/anonymous/multi_device.ts";
import type { AnonymousDevices } from "../src/devices/anonymous/anonymous_devices.ts";
import { SqliteLedger } from "../src/storage/sqlite_ledger.ts";
import { deviceRoutes } from "../routes/devices/devices.ts";
import { Api } from "../tests/support/api.ts";
import { DevicesBench, openAnonymous } from "../tests/support/devices.ts";
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

const http = { group: "map 10,000 keys over HTTP, without a socket" };

async function served(): Promise<(json: string) => Promise<void>> {
  const ledger = new SqliteLedger(`${await Deno.makeTempDir()}/ledger.sqlite`);
  const bench = Object.assign(new DevicesBench(), { ledger });
  const opened = await bench.open();
  await opened.anonymous.create("multi");
  const { app } = Api.of(deviceRoutes(opened, bench.resolver));
  return async (body) => {
    const response = await app.fetch(
      new Request("http://localhost/v1/devices/anon-1/mappings", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      }),
      { listener: { kind: "unix", principal: admin("bench") } },
    );
    await response.json();
  };
}

function bodyOf(round: number): string {
  const keys = KEYS.map(({ device, inode }) => ({
    device: String(device + BigInt(round)),
    inode: String(inode),
  }));
  return JSON.stringify({ keys });
}

Deno.bench("bare Map", { ...http, baseline: true }, () => mapBare(new Map()));

const post = served();
let round = 0;

Deno.bench("known keys", http, async (b) => {
  const body = bodyOf(0);
  await (await post)(body);
  b.start();
  await (await post)(body);
  b.end();
});

Deno.bench("fresh keys, on stable storage", http, async (b) => {
  const body = bodyOf(++round);
  b.start();
  await (await post)(body);
  b.end();
});
