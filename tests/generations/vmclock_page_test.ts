import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  mendVmclock,
  storeVmclock,
  vmclockBytes,
  vmclockEpoch,
} from "../../src/generations/vmclock_page.ts";
import { MemoryPages } from "../support/page_folder.ts";

function page() {
  const folder = new MemoryPages();
  return { folder, page: folder.open("vm-7", "vmclock", vmclockBytes(1n)).page };
}

function sequenceView(folder: MemoryPages): DataView {
  return new DataView((folder.files.get("vm-7/vmclock") as Uint8Array<ArrayBuffer>).buffer);
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

Deno.test("storeVmclock() stores generation, marker, sequence, and the sequence is never odd", () => {
  const { folder, page: file } = page();
  const seen: [offset: number, sequence: number][] = [];
  folder.onStore = (_scope, _name, offset) => seen.push([offset, sequenceOf(file.bytes())]);
  assertEquals(storeVmclock(file, 2n), 2);
  assertEquals(seen, [[0x68, 0], [0x10, 0], [0x08, 0]]);
  assertEquals(sequenceOf(file.bytes()), 2);
  assert(file.shows(vmclockBytes(2n, 2)));
});

Deno.test("storeVmclock() goes on with 0 after the last even sequence", () => {
  const { folder, page: file } = page();
  sequenceView(folder).setUint32(0x0c, 0xffff_fffe, true);
  assertEquals(storeVmclock(file, 2n), 0);
  assert(file.shows(vmclockBytes(2n, 0)));
});

Deno.test("mendVmclock() mends a sequence that an older version left odd, and whatever else is wrong", () => {
  const { folder, page: file } = page();
  for (const [offset, word] of [[0x0c, 7], [0x00, 5], [0x60, 9], [0xffc, 1]] as const) {
    sequenceView(folder).setUint32(offset, word, true);
  }
  assertEquals(mendVmclock(file, 3n), 8);
  assert(file.shows(vmclockBytes(3n, 8)));
});

Deno.test("mendVmclock() changes the sequence of a page that a kill left without its store", () => {
  for (const stores of [1, 2]) {
    const { folder, page: file } = page();
    let left = stores;
    folder.onStore = () => {
      if (left-- === 0) throw new Error("killed here");
    };
    assertThrows(() => storeVmclock(file, 2n), Error, "killed here");
    assertEquals(sequenceOf(file.bytes()), 0);
    folder.onStore = () => {};
    mendVmclock(file, 2n);
    assertEquals([vmclockEpoch(file.bytes()), sequenceOf(file.bytes())], [2n, 2]);
  }
});

Deno.test("a reader in between sees a change early, and never misses one", () => {
  const { folder, page: file } = page();
  let shown = 1n;
  folder.onStore = () => {
    const view = new DataView(file.bytes().buffer);
    const [marker, generation] = [view.getBigUint64(0x10, true), view.getBigUint64(0x68, true)];
    assertEquals(view.getUint32(0x0c, true) % 2, 0);
    assert(generation >= marker, "the marker came before the generation");
    assert(generation >= shown, "the generation went back");
    shown = generation;
  };
  for (let epoch = 2n; epoch < 100n; epoch++) {
    storeVmclock(file, epoch);
    assertEquals(vmclockEpoch(file.bytes()), epoch);
  }
});
