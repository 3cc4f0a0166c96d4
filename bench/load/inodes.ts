/**
 * What inodes cost in process, each beside the least that could do the same: medians of rounds
 * that take turns, as ratios. Run with `deno run -A bench/load/inodes.ts [FOLDER]`; the folder
 * should be on a disk whose fdatasync means something.
 *
 * @module
 */
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { MIB } from "../../src/core/limits.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import { InodeStore } from "../../src/inodes/store/store.ts";
import { HostRoot } from "../../src/native/host_root.ts";
import { MAP_SHARED, O_RDWR, PROT_READ } from "../../src/native/constants.ts";
import { openPath } from "../../src/native/descriptor.ts";
import { Libc } from "../../src/native/libc.ts";
import { MappedCacheFiles } from "../../src/native/mapped_cache_file.ts";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { median, write } from "./measure.ts";

const PAGE = 4096;
const ROUNDS = 15;
const folder = Deno.makeTempDirSync({ ...Deno.args[0] === undefined ? {} : { dir: Deno.args[0] } });
const libc = Libc.open();
const store = new InodeStore({
  roots: new Map([["r", new HostRoot(libc, folder)]]),
  caches: new MappedCacheFiles(libc, `${folder}/state`),
  journals: new JournalFiles(`${folder}/state`),
  clock: systemClock,
  random: systemRandom,
  events: { emit() {} },
  bootId: "bench",
  cacheBytes: 3 * 1024 * MIB,
});

async function inodeOf(path: string, bytes: number, isWarm = true): Promise<CachingInode> {
  using file = Deno.createSync(`${folder}/${path}`);
  const part = new Uint8Array(Math.min(bytes, MIB)).fill(7);
  for (let at = 0; at < bytes; at += part.byteLength) file.writeSync(part);
  const { inode } = await store.open({
    root: "r",
    path,
    access: "rw",
    cache: "own",
    create: "never",
    permissions: 0,
    holder: "bench",
  });
  for (let at = 0; isWarm && at < bytes; at += part.byteLength) await inode.read(part, BigInt(at));
  return inode;
}

interface Contender {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** Prints µs per operation of each contender, and its ratio to the first one. */
async function compare(title: string, operations: number, contenders: Contender[]): Promise<void> {
  const times = contenders.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { run }] of contenders.entries()) {
      const start = performance.now();
      await run();
      times[index]?.push((performance.now() - start) * 1000 / operations);
    }
  }
  const [base = 1] = times.map(median);
  for (const [index, { name }] of contenders.entries()) {
    const us = median(times[index] ?? []);
    await write(`${title}: ${name}: ${us.toFixed(3)} us (${(us / base).toFixed(2)} x)`);
  }
}

const into = new Uint8Array(PAGE);
const fd = (path: string) => openPath(libc, path, O_RDWR).number;
/** Steps that are odd in pages meet every page before they meet one again. */
function* offsets(bytes: number): Generator<number, never> {
  for (let at = 0;; at = (at + 1237 * PAGE) % bytes) yield at;
}

async function reads(): Promise<void> {
  const bytes = 16 * MIB;
  const inode = await inodeOf("reads", bytes);
  const file = fd(`${folder}/reads`);
  const address = libc.symbols.mmap(0n, BigInt(bytes), PROT_READ, MAP_SHARED, file, 0n);
  const at = offsets(bytes);
  const times = 10_000;
  const loop = (read: (offset: number) => unknown) => () => {
    for (let count = 0; count < times; count++) read(at.next().value);
  };
  await compare("read 4 KiB cached", times, [
    { name: "pread", run: loop((o) => libc.symbols.pread(file, into, 4096n, BigInt(o))) },
    {
      name: "memcpy",
      run: loop((o) => libc.symbols.memcpy_to_js(into, BigInt(address) + BigInt(o), 4096n)),
    },
    {
      name: "CachingInode.readNonblocking()",
      run: loop((o) => inode.readNonblocking(into, BigInt(o))),
    },
  ]);
}

async function writes(): Promise<void> {
  const bytes = 16 * MIB;
  const inode = await inodeOf("writes", bytes);
  Deno.copyFileSync(`${folder}/writes`, `${folder}/bare`);
  const file = fd(`${folder}/bare`);
  const at = offsets(bytes);
  const bare = async (offset: number) => {
    await libc.symbols.pwrite_thread(file, into, 4096n, BigInt(offset));
  };
  const synced = async (offset: number) => {
    await bare(offset);
    await libc.symbols.fdatasync_thread(file);
  };
  const loop = (times: number, write: (offset: number) => Promise<unknown>) => async () => {
    for (let count = 0; count < times; count++) await write(at.next().value);
  };
  const durable = (o: number) => inode.write(into, BigInt(o), { isDurable: true });
  await compare("write 4 KiB", 200, [
    { name: "pwrite on a thread", run: loop(200, bare) },
    { name: "CachingInode.write()", run: loop(200, (o) => inode.write(into, BigInt(o))) },
  ]);
  await inode.sync();
  await compare("durable write 4 KiB", 32, [
    { name: "pwrite + fdatasync on a thread", run: loop(32, synced) },
    { name: "CachingInode.write(), one writer", run: loop(32, durable) },
    {
      name: "CachingInode.write(), 32 writers",
      run: async () => {
        await Promise.all([...Array(32).keys()].map(() => durable(at.next().value)));
      },
    },
  ]);
}

/** A mapping of a file of ours, touched through, and what copies a page out of it. */
function mapped(path: string, bytes: number): (offset: number) => void {
  const file = fd(path);
  const address = BigInt(libc.symbols.mmap(0n, BigInt(bytes), PROT_READ, MAP_SHARED, file, 0n));
  libc.symbols.close(file);
  const copy = (offset: number): void => {
    libc.symbols.memcpy_to_js(into, address + BigInt(offset), 4096n);
  };
  for (let at = 0; at < bytes; at += PAGE) copy(at);
  return copy;
}

/** The very file that a read copies from. */
function cacheFileOf({ identity }: CachingInode): string {
  return `${folder}/state/${identity.id}.pages`;
}

/** The control is a bare copy from as many bytes: it misses the processor's caches just so. */
async function flatness(): Promise<void> {
  const times = 10_000;
  for (const size of [1, 16, 256, 2048]) {
    const inode = await inodeOf(`size-${size}`, size * MIB);
    const copy = mapped(cacheFileOf(inode), size * MIB);
    const loop = (read: (offset: number) => void) => {
      const at = offsets(size * MIB);
      return () => {
        for (let count = 0; count < times; count++) read(at.next().value);
      };
    };
    await compare(`read 4 KiB of ${size} MiB`, times, [
      { name: "memcpy", run: loop(copy) },
      {
        name: "CachingInode.readNonblocking()",
        run: loop((offset) => {
          inode.readNonblocking(into, BigInt(offset));
        }),
      },
    ]);
  }
}

async function many(): Promise<void> {
  const times = 10_000;
  const inodes: CachingInode[] = [];
  const copies: ((offset: number) => void)[] = [];
  for (let index = 0; index < 4000; index++) {
    const inode = await inodeOf(`many-${index}`, PAGE);
    inodes.push(inode);
    copies.push(mapped(cacheFileOf(inode), PAGE));
  }
  const loop = (open: number, read: (index: number) => void) => () => {
    for (let count = 0; count < times; count++) read(count % open);
  };
  for (const open of [1, 100, 4000]) {
    await compare(`read 4 KiB of ${open} inodes in turn`, times, [
      { name: "memcpy", run: loop(open, (index) => copies[index]?.(0)) },
      {
        name: "CachingInode.readNonblocking()",
        run: loop(open, (index) => inodes[index]?.readNonblocking(into, 0n)),
      },
    ]);
  }
}

if (import.meta.main) {
  try {
    await reads();
    await writes();
    await flatness();
    await many();
  } finally {
    await store.close();
    Deno.removeSync(folder, { recursive: true });
  }
}
