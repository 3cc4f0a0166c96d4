import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { Fault } from "../../../src/core/faults.ts";
import { PAGE_BYTES } from "../../../src/core/limits.ts";
import type { GuestImage } from "../../../src/core/ports/guest_engine.ts";
import {
  encodeSnapshot,
  type SavedGuest,
  type SnapshotSubject,
  StoredSnapshot,
} from "../../../src/guests/snapshots/snapshot.ts";
import { MemorySnapshotFile } from "../../support/snapshot_store.ts";
import type { MachineImage } from "../../../src/guests/linux/machine_image.ts";
import { testSeed } from "../../support/random.ts";

const SUBJECT: SnapshotSubject = {
  guest: "hello",
  scope: "vm-7",
  generation: 4_294_967_295,
  createdNs: 1_700_000_000_123_456_789n,
};

const MACHINE = {
  disks: [{
    source: { root: "r", path: "disk.img", access: "ro", cache: "own", content: "1:2:3:" },
    sizeBytes: 1 << 20,
    readOnly: false,
    ranges: [[512, 512], [4096, 20]],
  }],
  share: "r",
  fids: [{ fid: 1, path: ["AP8="], device: "1", inode: "2" }],
  reseed: { watching: "reseed", begun: "ack 7" },
  overlays: new Uint8Array(532).map((_, at) => at * 3),
} as const satisfies MachineImage;

const imageOf = (memoryPages: number, pages: readonly number[]): GuestImage => ({
  engine: "v86",
  memoryBytes: memoryPages * PAGE_BYTES,
  vcpu: { reg32: [1, -2] },
  abi: {
    dataPage: 8192,
    interrupts: {
      pending: 0xffff_ffff,
      halted: true,
      gates: [[33, 0x1000, true]],
      stackSegment: 16,
      stackPointer: 4096,
    },
    clockNs: "17",
  },
  pages: Uint32Array.from(pages),
  bytes: new Uint8Array(pages.length * PAGE_BYTES).map((_, at) => at * 7),
  devices: new Uint8Array(pages.length * 3).map((_, at) => at * 5),
});

/** The guest in these bytes; the file is closed, whatever they are. */
async function decoded(bytes: Uint8Array<ArrayBuffer>): Promise<SavedGuest> {
  const file = new MemorySnapshotFile(bytes);
  try {
    using snapshot = await StoredSnapshot.open(file);
    return await snapshot.guest();
  } finally {
    assert(file.isClosed);
  }
}

Deno.test("StoredSnapshot gives back what encodeSnapshot() took", async () => {
  const seed = testSeed();
  const some = fc.uniqueArray(fc.nat(63), { maxLength: 12 }).map((pages) =>
    pages.sort((a, b) => a - b)
  );
  await fc.assert(
    fc.asyncProperty(some, async (pages) => {
      const image = imageOf(64, pages);
      const machine = pages.length % 2 === 0 ? undefined : MACHINE;
      const { bytes, head } = await encodeSnapshot(SUBJECT, { image, machine });
      assertEquals(await decoded(bytes), { image, machine });
      const { overlays: _, ...withoutOverlays } = MACHINE;
      const plugged = machine === undefined ? undefined : withoutOverlays;
      const { overlays } = machine ?? { overlays: new Uint8Array() };
      const file = new MemorySnapshotFile(bytes);
      const opened = await StoredSnapshot.open(file);
      const { length } = concat([image.bytes, image.devices, overlays]);
      assertEquals(file.readBytes, bytes.length - length);
      for (const one of [head, opened.head]) {
        assertEquals(one, {
          ...SUBJECT,
          engine: "v86",
          memoryBytes: 64 * PAGE_BYTES,
          machine: plugged,
        });
      }
    }),
    { seed, numRuns: 30 },
  );
});

Deno.test("StoredSnapshot refuses every snapshot with one byte altered or cut off", async () => {
  const seed = testSeed();
  const image = imageOf(64, [1, 2, 5]);
  const { bytes: whole } = await encodeSnapshot(SUBJECT, { image, machine: MACHINE });
  const refuses = async (bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    const { code } = await assertRejects(() => decoded(bytes), Fault);
    assert(code === "snapshot-damaged" || code === "snapshot-version", code);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, bits) => {
        const altered = whole.slice();
        altered[at] = (altered[at] ?? 0) ^ bits;
        await refuses(altered);
        await refuses(whole.slice(0, at));
      },
    ),
    { seed, numRuns: 300 },
  );
  for (let at = 0; at < 64; at++) {
    const altered = whole.slice();
    altered[at] = (altered[at] ?? 0) ^ 1;
    await refuses(altered);
    await refuses(whole.slice(0, at));
  }
  const longer = new Uint8Array(whole.length + 1);
  longer.set(whole);
  await refuses(longer);
});

Deno.test("StoredSnapshot refuses a version that it does not know", async () => {
  const { bytes } = await encodeSnapshot(SUBJECT, { image: imageOf(64, [1]) });
  bytes[8] = 1;
  const fault = await assertRejects(() => decoded(bytes), Fault);
  assertEquals(fault.code, "snapshot-version");
});

Deno.test("StoredSnapshot refuses pages that are outside the guest's memory", async () => {
  for (const pages of [[64], [5, 4], [3, 3]]) {
    const { bytes } = await encodeSnapshot(SUBJECT, { image: imageOf(64, pages) });
    const fault = await assertRejects(() => decoded(bytes), Fault);
    assertEquals(fault.code, "snapshot-damaged");
  }
});
