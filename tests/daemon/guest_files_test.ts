import { assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { DISKS_PER_GUEST_MAX } from "../../src/core/limits.ts";
import { closeAll, InodeFiles, OVERLAY_ROOT } from "../../src/daemon/guest_files.ts";
import { Disk } from "../../src/guests/linux/disk.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import { MemoryRoot } from "../support/memory_files.ts";
import { HostStore, MemoryStore } from "../support/inode_store.ts";
import { SeededRandom } from "../support/random.ts";

const SIZE = 8 * 512;

async function bench(size = SIZE) {
  const images = new MemoryRoot();
  const overlays = new MemoryRoot();
  const memory = new MemoryStore({ roots: new Map([["r", images], [OVERLAY_ROOT, overlays]]) });
  const { store } = memory;
  const open = async (path: string, holder = "test"): Promise<CachingInode> => {
    const { inode } = await store.open({
      ...{ root: "r", path, access: "rw", cache: "own", holder },
      create: "if-missing",
      permissions: 0o600,
    });
    return inode;
  };
  const base = await open("disk.img");
  await base.write(new Uint8Array(size).fill(7), 0n);
  await base.sync();
  const disks = new InodeFiles({ inodes: store, shares: new Map(), random: new SeededRandom(1) });
  return { store, images, overlays, base, disks, open };
}

const paths = (store: MemoryStore["store"]): string[] =>
  store.list().map(({ identity: { root, path } }) => `${root}/${path}`).sort();

async function refusal(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, Fault)).code;
}

Deno.test("InodeFiles gives two guests one base, and each an overlay that goes with it", async () => {
  const { store, overlays, base, disks } = await bench();
  const request = [{ inode: base.identity.id, readOnly: false }];
  const [one] = await disks.openDisks("one", request);
  const [two] = await disks.openDisks("two", request);
  if (one === undefined || two === undefined) throw new Error("no disks");
  const [first, second] = [new Disk(one), new Disk(two)];
  await first.write(512, new Uint8Array(512).fill(1));
  assertEquals([(await first.read(512, 1))[0], (await second.read(512, 1))[0]], [1, 7]);
  await first.flush();
  const before = new Uint8Array(1);
  await base.read(before, 512n);
  assertEquals(before[0], 7);
  assertEquals([store.stats().inodes, overlays.nodes.size], [3, 2]);
  // What a guest has written is not for whoever may read inodes.
  assertEquals(paths(store), ["r/disk.img"]);
  await first.close();
  await second.close();
  assertEquals([paths(store), overlays.nodes.size], [["r/disk.img"], 0]);
  assertEquals([...base.holders], ["test"]);
});

Deno.test("InodeFiles holds a base for each disk, also of guests of one name", async () => {
  const { store, base, disks } = await bench();
  const request = [{ inode: base.identity.id, readOnly: true }];
  const [before, after] = [
    await disks.openDisks("one", request),
    await disks.openDisks("one", request),
  ];
  await store.release(base.identity.id, "test");
  await closeAll(before);
  assertEquals([...await after[0]?.base.read(0, 1) ?? []], [7]);
  await closeAll(after);
  assertEquals(paths(store), []);
});

Deno.test("InodeFiles keeps a base open for its guests", async () => {
  const { store, base, disks } = await bench();
  const opened = await disks.openDisks("one", [{ inode: base.identity.id, readOnly: true }]);
  await store.release(base.identity.id, "test");
  assertEquals(paths(store), ["r/disk.img"]);
  await closeAll(opened);
  assertEquals(paths(store), []);
});

Deno.test("InodeFiles refuses what is no disk, and leaves nothing open", async () => {
  for (const size of [511, 0]) {
    const { store, base, disks } = await bench(size);
    const request = [{ inode: base.identity.id, readOnly: false }];
    assertEquals(await refusal(disks.openDisks("one", request)), "value-not-allowed");
    assertEquals(paths(store), ["r/disk.img"]);
  }
  const { store, base, disks } = await bench();
  const good = { inode: base.identity.id, readOnly: false };
  assertEquals(
    await refusal(disks.openDisks("one", [good, { inode: "0123", readOnly: false }])),
    "inode-not-found",
  );
  const many = Array.from({ length: DISKS_PER_GUEST_MAX + 1 }, () => good);
  assertEquals(await refusal(disks.openDisks("one", many)), "value-not-allowed");
  assertEquals([paths(store), [...base.holders]], [["r/disk.img"], ["test"]]);
});

Deno.test("InodeFiles opens a snapshot's disks again only while they are the same", async () => {
  const { store, base, disks } = await bench();
  const [parts] = await disks.openDisks("one", [{ inode: base.identity.id, readOnly: false }]);
  if (parts === undefined) throw new Error("no disk");
  const disk = new Disk(parts);
  const { image } = await disk.capture(SIZE);
  await disk.close();
  await store.release(base.identity.id, "test");
  const again = await disks.reopenDisks("clone", [image]);
  assertEquals(again[0]?.sizeBytes, SIZE);
  await closeAll(again);
  const other = { ...image, source: { ...image.source, content: "another" } };
  assertEquals(await refusal(disks.reopenDisks("clone", [image, other])), "backing-changed");
  assertEquals(paths(store), []);
});

Deno.test("InodeFiles opens nothing where there is no place for overlays", async () => {
  await using host = new HostStore();
  Deno.writeFileSync(host.path("disk.img"), new Uint8Array(SIZE));
  const { store } = host;
  const { inode } = await store.open({
    ...{ root: "r", path: "disk.img", access: "ro", cache: "own", holder: "test" },
    create: "never",
    permissions: 0,
  });
  const disks = new InodeFiles({ inodes: store, shares: new Map(), random: new SeededRandom(1) });
  assertEquals(
    await refusal(disks.openDisks("one", [{ inode: inode.identity.id, readOnly: false }])),
    "root-not-found",
  );
  assertEquals([...Deno.readDirSync(host.folder)].length, 1);
});
