/**
 * Reads and writes of 4 KiB at offsets in a file that is wholly in memory, through an inode and by
 * Deno's own file, which is the baseline. No request is made: this is the store alone.
 *
 * Run with `deno bench -A bench/inodes_bench.ts`.
 *
 * @module
 */
import { MIB } from "../src/core/limits.ts";
import { HostRoot } from "../src/native/host_root.ts";
import { Libc } from "../src/native/libc.ts";
import { MappedCacheFiles } from "../src/native/mapped_cache_file.ts";
import type { CachingInode } from "../src/inodes/content/caching_inode.ts";
import { InodeStore } from "../src/inodes/store/store.ts";
import { JournalFiles } from "../src/storage/journal_file.ts";
import { systemClock, systemRandom } from "../src/cli/system.ts";

const READ_BYTES = 4096;
const FILE_BYTES = 16 * MIB;
/** A step that is odd in pages, so that every page is met before one is met again. */
const STEP_BYTES = 1237 * READ_BYTES;
/** So many that waiting for the inode once counts for nothing. */
const READS_PER_ITERATION = 1000;

class Setting {
  readonly folder = Deno.makeTempDirSync();
  readonly libc = Libc.open();
  readonly store: InodeStore;
  readonly into = new Uint8Array(READ_BYTES);
  #at = 0;

  constructor() {
    Deno.writeFileSync(`${this.folder}/own`, new Uint8Array(FILE_BYTES).fill(7));
    Deno.copyFileSync(`${this.folder}/own`, `${this.folder}/host`);
    const state = `${this.folder}/state`;
    this.store = new InodeStore({
      roots: new Map([["bench", new HostRoot(this.libc, this.folder)]]),
      caches: new MappedCacheFiles(this.libc, state),
      journals: new JournalFiles(state),
      events: { emit() {} },
      clock: systemClock,
      random: systemRandom,
      bootId: "bench",
    });
    globalThis.addEventListener("unload", () => Deno.removeSync(this.folder, { recursive: true }));
  }

  /** An inode with all its pages in memory. */
  async inode(cache: "host" | "own"): Promise<CachingInode> {
    const { inode } = await this.store.open({
      root: "bench",
      path: cache,
      access: "rw",
      cache,
      create: "never",
      permissions: 0,
      holder: "bench",
    });
    await inode.read(new Uint8Array(FILE_BYTES), 0n);
    return inode;
  }

  offset(): number {
    this.#at = (this.#at + STEP_BYTES) % FILE_BYTES;
    return this.#at;
  }
}

const setting = new Setting();
const inodes = { own: setting.inode("own"), host: setting.inode("host") };
const file = Deno.openSync(`${setting.folder}/host`, { read: true, write: true });

const READS = { group: `${READS_PER_ITERATION} reads of 4 KiB` };
const WRITES = { group: "one write of 4 KiB" };

Deno.bench("Deno.FsFile: seekSync and readSync", { ...READS, baseline: true }, () => {
  for (let count = 0; count < READS_PER_ITERATION; count++) {
    file.seekSync(setting.offset(), Deno.SeekMode.Start);
    if (file.readSync(setting.into) !== READ_BYTES) throw new Error("short read");
  }
});

for (const cache of ["own", "host"] as const) {
  Deno.bench(`CachingInode.readNonblocking(), mode ${cache}`, READS, async () => {
    const inode = await inodes[cache];
    for (let count = 0; count < READS_PER_ITERATION; count++) {
      const read = inode.readNonblocking(setting.into, BigInt(setting.offset()));
      if (read !== READ_BYTES) throw new Error("it was not in memory");
    }
  });
}

Deno.bench("Deno.FsFile: seek and write", { ...WRITES, baseline: true }, async () => {
  await file.seek(setting.offset(), Deno.SeekMode.Start);
  await file.write(setting.into);
});

for (const cache of ["own", "host"] as const) {
  Deno.bench(`CachingInode.write(), mode ${cache}`, WRITES, async () => {
    await (await inodes[cache]).write(setting.into, BigInt(setting.offset()));
  });
}
