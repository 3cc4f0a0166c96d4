/**
 * What the device registry costs as it grows: time and memory of a mapping from 1,000 to 1,000,000,
 * and saving and restoring 100,000 mappings and 5,000 devices on a real ledger.
 *
 * Run with `deno run -A --v8-flags=--expose-gc bench/device_growth.ts`.
 */
import { DeviceImageBody } from "../src/wire/device_image.ts";
import { deviceOf, type HostDeviceRecord } from "../src/devices/host/host_records.ts";
import { imageText } from "../src/devices/image.ts";
import type { MappingKey } from "../src/devices/anonymous/mapping.ts";
import { DeviceRegistry } from "../src/devices/registry.ts";
import { SqliteLedger } from "../src/storage/sqlite_ledger.ts";
import { DevicesBench, openAnonymous } from "../tests/support/devices.ts";
import type { Ledger } from "../src/core/ports/ledger.ts";

const BATCH = 10_000;
const ROUNDS = 9;
const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const collect = (globalThis as { gc?: () => void }).gc;

/** A ledger that stores nothing, so that only the registry is measured. */
const FORGETFUL: Ledger = {
  load: () => Promise.resolve([]),
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

const keysFrom = (first: number, count: number): MappingKey[] =>
  Array.from({ length: count }, (_, i) => ({
    device: 2050n,
    secondaryDevice: "",
    inode: BigInt(first + i) * 7919n,
  }));

async function timedMs(task: () => unknown): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function heapBytes(): number {
  collect?.();
  return Deno.memoryUsage().heapUsed;
}

/** The floor: a Map with string keys. It slows down too as it outgrows the processor's caches. */
class BareMap {
  readonly #map = new Map<string, bigint>();

  map(keys: readonly MappingKey[]): void {
    for (const { device, inode, secondaryDevice } of keys) {
      const text = `${device} ${inode} ${secondaryDevice}`;
      if (!this.#map.has(text)) this.#map.set(text, BigInt(this.#map.size + 1));
    }
  }
}

const say = (line: string): void => {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
};

async function growth(): Promise<void> {
  say("mappings | µs per fresh key, bare Map, ratio | per known key, bare Map, ratio | bytes each");
  for (const size of SIZES) {
    const before = heapBytes();
    const devices = await openAnonymous(FORGETFUL);
    await devices.create("multi");
    for (let first = 0; first < size; first += BATCH) {
      await devices.map("anon-1", keysFrom(first, Math.min(BATCH, size - first)));
    }
    const bytes = (heapBytes() - before) / size;
    const bare = new BareMap();
    for (let first = 0; first < size; first += BATCH) {
      bare.map(keysFrom(first, Math.min(BATCH, size - first)));
    }
    const ms = { fresh: [], bareFresh: [], known: [], bareKnown: [] } as Record<string, number[]>;
    for (let round = 0; round < ROUNDS; round++) {
      const keys = keysFrom(size + round * BATCH, BATCH);
      ms.fresh?.push(await timedMs(() => devices.map("anon-1", keys)));
      ms.bareFresh?.push(await timedMs(() => bare.map(keys)));
      ms.known?.push(await timedMs(() => devices.map("anon-1", keys)));
      ms.bareKnown?.push(await timedMs(() => bare.map(keys)));
    }
    const perKey = (name: string): number => medianOf(ms[name] ?? []) * 1000 / BATCH;
    const beside = (ours: string, floor: string): string =>
      `${perKey(ours).toFixed(2)} ${perKey(floor).toFixed(2)} ` +
      `${(perKey(ours) / perKey(floor)).toFixed(2)}`;
    say(
      `${size} | ${beside("fresh", "bareFresh")} | ${beside("known", "bareKnown")} | ` +
        bytes.toFixed(0),
    );
  }
}

async function imageOf(bench: DevicesBench): Promise<string> {
  const registry = await bench.open();
  for (let i = 0; i < 4_000; i++) await registry.anonymous.create("simple");
  await registry.anonymous.create("multi");
  for (let first = 0; first < 100_000; first += BATCH) {
    await registry.anonymous.map("anon-4001", keysFrom(first, BATCH));
  }
  for (let i = 0; i < 999; i++) {
    const info = { containerPath: `/srv/${i}.img`, type: "b", major: 0n, minor: 0n } as const;
    const { device } = await registry.host.register({ info, sandbox: `s${i % 10}` });
    await registry.host.attach(device.id, "c1");
  }
  const pieces: string[] = [];
  const ms = await timedMs(() => {
    for (const piece of imageText(registry.save().state)) pieces.push(piece);
  });
  const text = pieces.join("");
  say(`save 100,000 mappings and 5,000 devices: ${ms.toFixed(0)} ms, ${text.length} bytes`);
  return text;
}

async function restoring(): Promise<void> {
  const text = await imageOf(new DevicesBench());
  const ledger = new SqliteLedger(`${await Deno.makeTempDir()}/ledger.sqlite`);
  const bench = Object.assign(new DevicesBench(), { ledger });
  const registry = await DeviceRegistry.open(bench);
  const read = () => {
    const { anonymous, host } = DeviceImageBody.parse(JSON.parse(text));
    return { anonymous, host: (host as HostDeviceRecord[]).map(deviceOf) };
  };
  for (const mode of ["load", "match"] as const) {
    let state = read();
    const readMs = await timedMs(() => {
      state = read();
    });
    const restoreMs = await timedMs(() => registry.restore(state, mode));
    say(`restore by ${mode}: ${readMs.toFixed(0)} ms to read, ${restoreMs.toFixed(0)} ms to keep`);
  }
  const openMs = await timedMs(() => DeviceRegistry.open(bench));
  say(`open it again: ${openMs.toFixed(0)} ms`);
  await ledger.close();
}

await growth();
await restoring();
