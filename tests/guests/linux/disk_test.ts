import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import type { DiskFile } from "../../../src/core/ports/guest_files.ts";
import { SystemError } from "../../../src/core/system_error.ts";
import { Disk } from "../../../src/guests/linux/disk.ts";
import { SeededRandom, testSeed } from "../../support/random.ts";

const SIZE = 64 * 512;
const SOURCE = { root: "r", path: "d", access: "ro", cache: "own", content: "1" } as const;

class MemoryDisk implements DiskFile {
  readonly calls: string[] = [];

  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {}

  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.bytes.slice(at, at + length));
  }

  write(at: number, bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, at);
    return Promise.resolve();
  }

  sync(): Promise<void> {
    this.calls.push("sync");
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.calls.push("close");
    return Promise.resolve();
  }
}

function bench(fill = 7, overlay: MemoryDisk | undefined = new MemoryDisk(new Uint8Array(SIZE))) {
  const base = new MemoryDisk(new Uint8Array(SIZE).fill(fill));
  const disk = new Disk({ sizeBytes: SIZE, source: SOURCE, base, overlay });
  return { base, overlay, disk };
}

Deno.test("Disk reads what was written over its base, and never changes the base", async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const { base, disk } = bench();
  const model = base.bytes.slice();
  for (let round = 0; round < 300; round++) {
    const at = random.below(SIZE);
    const length = random.below(SIZE - at + 1);
    if (random.below(2) === 0) {
      const bytes = new Uint8Array(random.bytes(length));
      await disk.write(at, bytes);
      model.set(bytes, at);
    } else {
      assertEquals(await disk.read(at, length), model.slice(at, at + length), `seed ${seed}`);
    }
  }
  assert(base.bytes.every((byte) => byte === 7));
});

Deno.test("Disk gives a read what a write before it wrote, though it is still under way", async () => {
  const { disk } = bench();
  void disk.write(512, new Uint8Array(512).fill(1));
  assertEquals((await disk.read(512, 1))[0], 1);
});

Deno.test("Disk without an overlay takes no writes", async () => {
  const { disk } = bench(7, undefined);
  const readOnly = new Disk({
    sizeBytes: SIZE,
    source: SOURCE,
    base: new MemoryDisk(new Uint8Array(SIZE)),
    overlay: undefined,
  });
  assertEquals([disk.shape.readOnly, readOnly.shape.readOnly], [false, true]);
  await assertRejects(() => readOnly.write(0, new Uint8Array(512)), SystemError, "EROFS");
  await readOnly.flush();
});

Deno.test("Disk refuses what is not on it", async () => {
  const { disk } = bench();
  await disk.read(SIZE - 512, 512);
  await assertRejects(() => disk.read(SIZE - 512, 513), SystemError);
  await assertRejects(() => disk.write(SIZE, new Uint8Array(1)), SystemError);
  await assertRejects(() => disk.read(-1, 1), SystemError);
});

Deno.test("Disk flushes its overlay and closes both once", async () => {
  const { base, overlay, disk } = bench();
  await disk.flush();
  await disk.close();
  await disk.close();
  assertEquals([base.calls, overlay?.calls], [["close"], ["sync", "close"]]);
});

Deno.test("Disk.restore() gives another disk of the same base what capture() took", async () => {
  const { disk } = bench();
  await disk.write(512, new Uint8Array(1024).fill(1));
  await disk.write(8192, new Uint8Array(512).fill(2));
  const { image, bytes } = await disk.capture(SIZE);
  assertEquals(image.ranges, [[512, 1024], [8192, 512]]);
  const all = new Uint8Array(bytes.flatMap((part) => [...part]));
  const { disk: clone } = bench();
  await clone.restore(image, all);
  assertEquals(await clone.read(0, SIZE), await disk.read(0, SIZE));
  await clone.write(512, new Uint8Array(512).fill(9));
  assertEquals((await disk.read(512, 1))[0], 1);
});

Deno.test("Disk.capture() refuses more than a snapshot may keep", async () => {
  const { disk } = bench();
  await disk.write(0, new Uint8Array(1024));
  await disk.capture(1024);
  const fault = await assertRejects(() => disk.capture(1023), Fault);
  assertEquals(fault.code, "snapshots-exhausted");
});
