import { assertEquals } from "@std/assert";
import type { SnapshotStore } from "../../src/core/ports/snapshot_store.ts";
import { SnapshotFiles } from "../../src/storage/snapshot_files.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

function contract(
  name: string,
  use: (fn: (store: SnapshotStore) => Promise<void>) => Promise<void>,
) {
  const read = async (store: SnapshotStore, ...lengths: number[]) => {
    using file = await store.open("s-1");
    const parts: Uint8Array[] = [];
    for (const length of lengths) if (file !== undefined) parts.push(await file.read(length));
    return parts;
  };
  const sizeOf = async (store: SnapshotStore) => {
    using file = await store.open("s-1");
    return file?.sizeBytes;
  };
  const test = (criterion: string, fn: (store: SnapshotStore) => Promise<void>): void =>
    Deno.test(`SnapshotStore (${name}) ${criterion}`, () => use(fn));

  test("gives back what was put, whole or its start", async (store) => {
    const bytes = new Uint8Array(100_000).map((_, at) => at * 13);
    await store.put("s-1", bytes);
    assertEquals(await read(store, 100_000), [bytes]);
    assertEquals(await read(store, 48), [bytes.slice(0, 48)]);
    assertEquals((await read(store, 200_000))[0]?.length, 100_000);
    assertEquals(await read(store, 48, 200, 200_000), [
      bytes.slice(0, 48),
      bytes.slice(48, 248),
      bytes.slice(248),
    ]);
    assertEquals(await sizeOf(store), 100_000);
  });

  test("lists ids in ascending order", async (store) => {
    assertEquals(await store.ids(), []);
    for (const id of ["b", "a.2", "a"]) await store.put(id, Uint8Array.of(1));
    assertEquals(await store.ids(), ["a", "a.2", "b"]);
  });

  test("deletes once, and then has nothing", async (store) => {
    await store.put("s-1", Uint8Array.of(1));
    assertEquals(await store.delete("s-1"), true);
    assertEquals(await store.delete("s-1"), false);
    assertEquals(await store.open("s-1"), undefined);
    assertEquals(await store.ids(), []);
  });
}

contract("memory", (fn) => fn(new MemorySnapshots()));
contract("files", async (fn) => {
  const folder = await Deno.makeTempDir();
  try {
    await fn(await SnapshotFiles.open(`${folder}/snapshots`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
