import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../src/core/limits.ts";
import type { CacheFiles } from "../../src/core/ports/cache_file.ts";
import { Libc } from "../../src/native/libc.ts";
import { MappedCacheFiles } from "../../src/native/mapped_cache_file.ts";
import { PAGE, pattern } from "../support/inode_store.ts";
import { MemoryCacheFiles } from "../support/memory_files.ts";

interface Subject extends Disposable {
  readonly files: CacheFiles;
}

const subjects: Record<string, () => Subject> = {
  "a fake in memory": () => ({ files: new MemoryCacheFiles(), [Symbol.dispose]() {} }),
  "a mapped file": () => {
    const folder = Deno.makeTempDirSync();
    const libc = Libc.open();
    return {
      files: new MappedCacheFiles(libc, `${folder}/inodes`),
      [Symbol.dispose]() {
        libc[Symbol.dispose]();
        Deno.removeSync(folder, { recursive: true });
      },
    };
  },
};

const pages = (from: number, to: number) => ({
  start: BigInt(from * PAGE),
  end: BigInt(to * PAGE),
});

for (const [name, make] of Object.entries(subjects)) {
  Deno.test(`CacheFile loads what was stored, and zeros from fresh pages: ${name}`, async () => {
    using subject = make();
    const file = await subject.files.create("a");
    await file.reserve(pages(1, 4));
    const bytes = pattern(5000);
    file.store(bytes, BigInt(PAGE + 100));
    const into = new Uint8Array(3 * PAGE);
    file.load(into, BigInt(PAGE));
    const wanted = new Uint8Array(3 * PAGE);
    wanted.set(bytes, 100);
    assertEquals(into, wanted);
    file.close();
  });

  Deno.test(`CacheFile copies across the border of two chunks: ${name}`, async () => {
    using subject = make();
    const file = await subject.files.create("a");
    const border = CHUNK_BYTES / PAGE;
    for (const at of [border, 1000 * border]) {
      await file.reserve(pages(at - 2, at + 2));
      const bytes = pattern(2 * PAGE, at % 250);
      file.store(bytes, BigInt((at - 1) * PAGE));
      const into = new Uint8Array(2 * PAGE);
      file.load(into, BigInt((at - 1) * PAGE));
      assertEquals(into, bytes);
    }
    file.close();
  });

  Deno.test(`CacheFile.punch() forgets pages and leaves their neighbours: ${name}`, async () => {
    using subject = make();
    const file = await subject.files.create("a");
    await file.reserve(pages(0, 3));
    file.store(pattern(3 * PAGE), 0n);
    await file.punch(pages(1, 2));
    await file.reserve(pages(1, 2));
    const into = new Uint8Array(3 * PAGE);
    file.load(into, 0n);
    const wanted: Uint8Array = pattern(3 * PAGE);
    wanted.fill(0, PAGE, 2 * PAGE);
    assertEquals(into, wanted);
    file.close();
  });

  Deno.test(`CacheFiles lists, salvages and removes what a process left: ${name}`, async () => {
    using subject = make();
    const file = await subject.files.create("b");
    await subject.files.create("a").then((other) => other.close());
    await file.reserve(pages(0, 2));
    file.store(pattern(2 * PAGE), 0n);
    file.close();
    assertEquals(await subject.files.list(), ["a", "b"]);
    const into = new Uint8Array(100);
    assertEquals(await subject.files.salvage("b", into, 4050n), 100);
    assertEquals(into, pattern(2 * PAGE).slice(4050, 4150));
    await subject.files.remove("b");
    await subject.files.remove("b");
    assertEquals(await subject.files.list(), ["a"]);
  });
}

Deno.test("MappedCacheFiles keeps its files to this user and gives punched storage back", async () => {
  using subject = (subjects["a mapped file"] as () => Subject)();
  const { folder } = subject.files as MappedCacheFiles;
  const file = await subject.files.create("a");
  assertEquals((Deno.statSync(folder).mode ?? 0) & 0o777, 0o700);
  const stat = () => Deno.statSync(`${folder}/a.pages`);
  assertEquals((stat().mode ?? 0) & 0o777, 0o600);
  await file.reserve(pages(0, 64));
  const full = stat().blocks ?? 0;
  await file.punch(pages(0, 64));
  assertEquals((stat().blocks ?? 0) < full, true);
  file.close();
});
