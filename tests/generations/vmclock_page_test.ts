import { assert, assertEquals } from "@std/assert";
import {
  isVmclockAt,
  storeVmclock,
  vmclockBytes,
  vmclockEpoch,
} from "../../src/generations/vmclock_page.ts";
import { MemoryPages } from "../support/page_folder.ts";

function page() {
  const folder = new MemoryPages();
  return { folder, page: folder.open("vm-7", "vmclock", vmclockBytes(1n)).page };
}

const sequenceOf = (bytes: Uint8Array<ArrayBuffer>): number =>
  new DataView(bytes.buffer).getUint32(0x0c, true);

Deno.test("vmclockBytes() lays out what vmclock-abi.h says", () => {
  const view = new DataView(vmclockBytes(0x0102030405060708n).buffer);
  assertEquals(view.getUint32(0x00, true), 0x4b4c4356);
  assertEquals(view.getUint32(0x04, true), 4096);
  assertEquals(view.getUint16(0x08, true), 1);
  assertEquals(view.getUint8(0x0a), 0xff);
  assertEquals(view.getBigUint64(0x18, true), 1n << 8n);
  assertEquals(view.getBigUint64(0x68, true), 0x0102030405060708n);
  assertEquals(view.byteLength, 0x70);
});

Deno.test("storeVmclock() makes the sequence odd before the fields and even after them", () => {
  const { folder, page: file } = page();
  const seen: [offset: number, sequence: number][] = [];
  folder.onStore = (_scope, _name, offset) => seen.push([offset, sequenceOf(file.bytes())]);
  storeVmclock(file, 2n);
  assertEquals(seen, [[0x0c, 0], [0x00, 1], [0x10, 1], [0x0c, 1]]);
  assertEquals(sequenceOf(file.bytes()), 2);
  assertEquals(vmclockEpoch(file.bytes()), 2n);
});

Deno.test("storeVmclock() mends a sequence that a crash left odd", () => {
  const { folder, page: file } = page();
  let left = 2;
  folder.onStore = () => {
    if (left-- === 0) throw new Error("killed here");
  };
  try {
    storeVmclock(file, 2n);
  } catch {
    assert(!isVmclockAt(file.bytes(), 2n));
  }
  assertEquals(sequenceOf(file.bytes()) % 2, 1);
  folder.onStore = () => {};
  storeVmclock(file, 2n);
  assert(isVmclockAt(file.bytes(), 2n));
});

Deno.test("a reader of the page never takes the epoch of one bump with the marker of another", () => {
  const { folder, page: file } = page();
  const torn: string[] = [];
  const read = (): void => {
    const view = new DataView(file.bytes().buffer);
    const before = view.getUint32(0x0c, true);
    const [marker, generation] = [view.getBigUint64(0x10, true), view.getBigUint64(0x68, true)];
    if (before % 2 === 0 && marker !== generation) torn.push(`${marker} ${generation}`);
  };
  folder.onStore = read;
  for (let epoch = 2n; epoch < 100n; epoch++) {
    storeVmclock(file, epoch);
    read();
  }
  assertEquals(torn, []);
});
