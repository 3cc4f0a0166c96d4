// A process that is to be killed: writes without end to an inode, and says each write that was
// acknowledged on a line `offset length salt`. Run with: ROOT STATE SEED [WRITES]. With WRITES it
// kills itself after the first write from there on that leaves dirty bytes.
import { HostRoot } from "../../src/native/host_root.ts";
import { Libc } from "../../src/native/libc.ts";
import { MappedCacheFiles } from "../../src/native/mapped_cache_file.ts";
import { InodeStore } from "../../src/inodes/store/store.ts";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { FakeClock } from "./clock.ts";
import { openInode, PAGE, pattern } from "./inode_store.ts";
import { SeededRandom } from "./random.ts";

const PAGES = 64;

async function main(root: string, state: string, seed: number, writes: number): Promise<never> {
  const random = new SeededRandom(seed);
  const libc = Libc.open();
  const store = new InodeStore({
    roots: new Map([["r", new HostRoot(libc, root)]]),
    caches: new MappedCacheFiles(libc, `${state}/inodes`),
    journals: new JournalFiles(`${state}/inodes`),
    events: { emit() {} },
    clock: new FakeClock(),
    random: new SeededRandom(seed + 1),
    bootId: "boot-1",
    cacheBytes: 32 * PAGE,
  });
  const inode = await openInode(store);
  for (let sequence = 0;; sequence++) {
    const offset = random.below((PAGES - 4) * PAGE);
    const bytes = pattern(1 + random.below(3 * PAGE), sequence % 250);
    await inode.write(bytes, BigInt(offset), { isDurable: random.below(8) === 0 });
    Deno.stdout.writeSync(
      new TextEncoder().encode(`${offset} ${bytes.byteLength} ${sequence % 250}\n`),
    );
    if (sequence + 1 >= writes && inode.stats().dirtyBytes > 0n) Deno.kill(Deno.pid, "SIGKILL");
    const choice = random.below(12);
    if (choice === 0) await inode.sync();
    if (choice === 1) await inode.evict();
    if (choice > 6) {
      await inode.read(new Uint8Array(8 * PAGE), BigInt(random.below(PAGES * PAGE)));
    }
  }
}

const [root, state, seed, writes] = Deno.args;
if (import.meta.main && root !== undefined && state !== undefined) {
  await main(root, state, Number(seed), Number(writes ?? Infinity));
}
