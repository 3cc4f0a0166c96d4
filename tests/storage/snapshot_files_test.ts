import { assertEquals, assertRejects } from "@std/assert";
import { SystemError } from "../../src/core/system_error.ts";
import { SnapshotFiles } from "../../src/storage/snapshot_files.ts";

async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("SnapshotFiles.open() removes what a crash left unfinished, and nothing else", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/s-1.snapshot`, "whole");
    await Deno.writeTextFile(`${folder}/s-2.snapshot.unfinished`, "ha");
    await Deno.writeTextFile(`${folder}/notes`, "mine");
    const store = await SnapshotFiles.open(folder);
    assertEquals(await store.ids(), ["s-1"]);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(left, ["notes", "s-1.snapshot"]);
  }));

Deno.test("SnapshotFiles keeps snapshots for this user only", () =>
  withFolder(async (folder) => {
    const store = await SnapshotFiles.open(`${folder}/snapshots`);
    await store.put("s-1", Uint8Array.of(1));
    const mode = (path: string): number => (Deno.statSync(path).mode ?? 0) & 0o777;
    assertEquals(mode(`${folder}/snapshots`), 0o700);
    assertEquals(mode(`${folder}/snapshots/s-1.snapshot`), 0o600);
  }));

Deno.test("SnapshotFiles refuses ids that could lead elsewhere", () =>
  withFolder(async (folder) => {
    const store = await SnapshotFiles.open(folder);
    for (const id of ["../s-1", "", ".s", "a/b", "A"]) {
      await assertRejects(() => store.put(id, Uint8Array.of(1)), SystemError, "EINVAL");
      await assertRejects(() => store.open(id), SystemError, "EINVAL");
    }
  }));

Deno.test("SnapshotFiles.put() leaves nothing behind when it fails, and names the error", () =>
  withFolder(async (folder) => {
    const store = await SnapshotFiles.open(folder);
    await Deno.mkdir(`${folder}/s-1.snapshot`);
    await assertRejects(() => store.put("s-1", Uint8Array.of(1)), SystemError, "EISDIR");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["s-1.snapshot"]);
  }));

Deno.test("SnapshotFiles.ids() leaves out files that are not ours, and leaves them where they are", async () => {
  const folder = await Deno.makeTempDir();
  const files = await SnapshotFiles.open(folder);
  await files.put("snapshot-1", Uint8Array.of(1));
  const foreign = ["My Copy.snapshot", "UPPER.snapshot", ".snapshot", "notes.txt"];
  for (const name of foreign) await Deno.writeTextFile(`${folder}/${name}`, "keep me");
  assertEquals(await files.ids(), ["snapshot-1"]);
  const again = await SnapshotFiles.open(folder);
  assertEquals(await again.ids(), ["snapshot-1"]);
  for (const name of foreign) assertEquals(await Deno.readTextFile(`${folder}/${name}`), "keep me");
});
