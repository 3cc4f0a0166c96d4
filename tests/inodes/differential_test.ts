import { assertEquals } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { runInodeScript } from "../support/inode_script.ts";
import { HostStore, openInode, PAGE, pattern } from "../support/inode_store.ts";
import { SeededRandom, testSeed } from "../support/random.ts";

const STEPS = 250;
const LIVES = 5_000;
const SPACE = 160 * PAGE;
/** So small that the scripts evict all the time. */
const CACHE_BYTES = 64 * PAGE;

/** A file that is nothing but its bytes, as the inode should look. */
class Model {
  bytes = new Uint8Array(0);

  write(bytes: Uint8Array, offset: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.byteLength, offset + bytes.byteLength));
    grown.set(this.bytes);
    grown.set(bytes, offset);
    this.bytes = grown;
  }
}

for (const cache of ["host", "own"] as const) {
  Deno.test(`CachingInode in mode ${cache} is byte for byte a plain file under random scripts`, async () => {
    const seed = testSeed();
    const random = new SeededRandom(seed);
    await using host = new HostStore({ cacheBytes: CACHE_BYTES });
    const inode = await openInode(host.store, { cache });
    const model = new Model();
    const size = () => model.bytes.byteLength;
    const steps: Record<string, () => Promise<void>> = {
      read: async () => {
        const offset = random.below(SPACE);
        const into = new Uint8Array(random.below(40 * PAGE));
        const read = await inode.read(into, BigInt(offset));
        const wanted = model.bytes.subarray(offset, offset + into.byteLength);
        assertEquals(into.subarray(0, read), wanted, `read ${offset}+${into.byteLength}`);
      },
      write: async () => {
        const offset = random.below(SPACE - 20 * PAGE);
        const bytes = pattern(1 + random.below(20 * PAGE), random.below(250));
        await inode.write(bytes, BigInt(offset));
        model.write(bytes, offset);
      },
      replace: async () => {
        const bytes = pattern(random.below(SPACE), random.below(250));
        await inode.replace(bytes);
        model.bytes = bytes.slice();
      },
      sync: () => inode.sync(),
      evict: async () => {
        const start = BigInt(random.below(SPACE));
        await inode.evict([{ start, end: start + BigInt(random.below(60 * PAGE)) }]);
      },
      // Outside changes are allowed between a sync and the revalidation of the next open.
      outside: async () => {
        await inode.sync();
        await Deno.truncate(host.path("f"), random.below(SPACE));
        model.bytes = await Deno.readFile(host.path("f"));
        await openInode(host.store, { cache });
      },
    };
    const names = ["read", "read", "read", "read", "write", "write", "write", "sync", "evict"];
    let step = 0;
    try {
      for (; step < STEPS; step++) {
        const name = random.below(40) === 0
          ? "replace"
          : random.below(25) === 0
          ? "outside"
          : random.pick(names);
        await steps[name]?.();
        assertEquals(inode.size, BigInt(size()), name);
      }
      await inode.sync();
      assertEquals(await Deno.readFile(host.path("f")), model.bytes);
      assertEquals(inode.stats().dirtyBytes, 0n);
      assertEquals(inode.stats().residentBytes <= BigInt(CACHE_BYTES), true);
    } catch (error) {
      throw new Error(`INNKEEPER_TEST_SEED=${seed}, step ${step}`, { cause: error });
    }
  });

  Deno.test(`CachingInode in mode ${cache} keeps every acknowledged byte of concurrent calls`, async () => {
    const seed = testSeed();
    const random = new SeededRandom(seed);
    await using host = new HostStore({ cacheBytes: CACHE_BYTES });
    const inode = await openInode(host.store, { cache });
    await inode.replace(new Uint8Array(SPACE));
    const LANES = 8;
    const lane = SPACE / LANES;
    const model = new Uint8Array(SPACE);
    // Each lane writes only in its own part, so that the outcome does not depend on the order.
    const writeLane = async (index: number): Promise<void> => {
      for (let round = 0; round < 25; round++) {
        const at = index * lane + random.below(lane - 1);
        const length = 1 + random.below(Math.min(3 * PAGE, (index + 1) * lane - at));
        const bytes = pattern(length, random.below(250));
        await inode.write(bytes, BigInt(at));
        model.set(bytes, at);
        const into = new Uint8Array(length);
        await inode.read(into, BigInt(at));
        assertEquals(into, bytes, `lane ${index}, round ${round}`);
      }
    };
    const disturb = async (): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        if (round % 3 === 0) await inode.sync();
        else if (round % 3 === 1) await inode.evict();
        else await inode.read(new Uint8Array(50 * PAGE), BigInt(random.below(SPACE)));
      }
    };
    try {
      await Promise.all([...Array(LANES).keys()].map(writeLane).concat(disturb(), disturb()));
      await inode.sync();
      assertEquals(await Deno.readFile(host.path("f")), model);
    } catch (error) {
      if (error instanceof Fault) throw new Error(`${error.code}: ${error.message}; seed ${seed}`);
      throw new Error(`INNKEEPER_TEST_SEED=${seed}`, { cause: error });
    }
  });
}

Deno.test("CachingInode is a plain file in 5,000 random lives, on storage that is short and fails", async () => {
  const seed = testSeed();
  for (let life = 0; life < LIVES; life++) {
    try {
      await runInodeScript(seed + life);
    } catch (error) {
      throw new Error(`INNKEEPER_TEST_SEED=${seed + life}`, { cause: error });
    }
  }
});
