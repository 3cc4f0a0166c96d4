import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { MIB, PAGE_BYTES } from "../../../src/core/limits.ts";
import { bootOf, type BootSpec, IDENTITY_PAGE_AT } from "../../../src/guests/linux/boot.ts";
import { bzImageOf, elfOf } from "../../support/kernels.ts";

const spec = (changes: Partial<BootSpec> = {}): BootSpec => ({
  memoryBytes: 32 * MIB,
  kernel: bzImageOf(),
  initrd: undefined,
  commandLine: "console=ttyS0",
  ...changes,
});

function paramsOf(changes: Partial<BootSpec> = {}): DataView {
  const { load, bootParams } = bootOf(spec(changes));
  const bytes = load.find(({ at }) => at === bootParams)?.bytes as Uint8Array;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const refused = (changes: Partial<BootSpec>, why: string): void => {
  const fault = assertThrows(() => bootOf(spec(changes)), Fault, why);
  assertEquals(fault.code, "value-not-allowed");
};

Deno.test("bootOf() loads a bzImage's protected-mode part at 1 MiB and enters it there", () => {
  const { load, entry } = bootOf(spec());
  assertEquals(entry, 0x100000);
  const body = load.find(({ at }) => at === 0x100000)?.bytes as Uint8Array;
  assertEquals([...body.subarray(0, 4)], [0x90, 0x90, 0x90, 0xf4]);
});

Deno.test("bootOf() copies the setup header and says who loads and where the command line is", () => {
  const params = paramsOf();
  assertEquals(params.getUint32(0x202, true), 0x5372_6448);
  assertEquals(params.getUint16(0x206, true), 0x020f);
  assertEquals(params.getUint8(0x210), 0xff);
  assertEquals(params.getUint8(0x211) & 1, 1);
  const at = params.getUint32(0x228, true);
  const line = bootOf(spec()).load.find((piece) => piece.at === at)?.bytes;
  assertEquals(new TextDecoder().decode(line), "console=ttyS0");
});

Deno.test("bootOf() keeps the identity page out of the memory that the kernel may use", () => {
  const params = paramsOf();
  assertEquals(params.getUint8(0x1e8), 3);
  const entries = [0, 1, 2].map((index) => {
    const at = 0x2d0 + 20 * index;
    return [
      Number(params.getBigUint64(at, true)),
      Number(params.getBigUint64(at + 8, true)),
      params.getUint32(at + 16, true),
    ];
  });
  assertEquals(entries, [
    [0, IDENTITY_PAGE_AT, 1],
    [IDENTITY_PAGE_AT, 0x100000 - IDENTITY_PAGE_AT, 2],
    [0x100000, 31 * MIB, 1],
  ]);
});

Deno.test("bootOf() puts the initrd on the last whole pages, below what the kernel can reach", () => {
  const initrd = new Uint8Array(PAGE_BYTES + 1);
  const high = paramsOf({ initrd });
  assertEquals(high.getUint32(0x218, true), 32 * MIB - 2 * PAGE_BYTES);
  assertEquals(high.getUint32(0x21c, true), PAGE_BYTES + 1);
  const kernel = bzImageOf({ initrdMax: 30 * MIB - 1 });
  const low = paramsOf({ initrd, kernel });
  assertEquals(low.getUint32(0x218, true), 30 * MIB - 2 * PAGE_BYTES);
  assertEquals(paramsOf({ initrd: new Uint8Array() }).getUint32(0x21c, true), 0);
});

Deno.test("bootOf() refuses an initrd that would lie where the kernel unpacks itself", () => {
  const room = 32 * MIB - (16 * MIB + 4 * MIB);
  bootOf(spec({ initrd: new Uint8Array(room) }));
  refused({ initrd: new Uint8Array(room + 1) }, "give the guest more memory");
});

Deno.test("bootOf() refuses a kernel that needs more memory than there is", () => {
  bootOf(spec({ memoryBytes: 20 * MIB }));
  refused({ memoryBytes: 20 * MIB - PAGE_BYTES }, "the kernel needs");
});

Deno.test("bootOf() takes a command line up to the kernel's own bound, and no NUL", () => {
  bootOf(spec({ commandLine: "x".repeat(2047) }));
  refused({ commandLine: "x".repeat(2048) }, "2047");
  refused({ commandLine: "a\0b" }, "no NUL");
});

Deno.test("bootOf() gives flat segments at 0x10 and 0x18 as the protocol asks", () => {
  const { load, gdt } = bootOf(spec());
  const table = load.find(({ at }) => at === gdt.at)?.bytes as Uint8Array;
  assertEquals(table.length - 1, gdt.limit);
  assertEquals(table[0x15], 0x9b);
  assertEquals(table[0x1d], 0x93);
});

Deno.test("bootOf() loads the segments of a vmlinux at their physical addresses", () => {
  const kernel = elfOf([{ at: 0x1000000, bytes: Uint8Array.of(1, 2, 3), memoryBytes: 8192 }]);
  const { load, entry } = bootOf(spec({ kernel }));
  assertEquals(entry, 0x1000000);
  assertEquals([...load.find(({ at }) => at === 0x1000000)?.bytes ?? []], [1, 2, 3]);
  assertEquals(paramsOf({ kernel }).getUint32(0x202, true), 0x5372_6448);
  const initrd = new Uint8Array(16 * MIB - 8192);
  assertEquals(paramsOf({ kernel, initrd }).getUint32(0x218, true), 0x1000000 + 8192);
  refused({ kernel, initrd: new Uint8Array(initrd.length + 1) }, "more memory");
});

Deno.test("bootOf() refuses a vmlinux that is not one", () => {
  const good = (): Uint8Array => elfOf([{ at: 0x1000000, bytes: Uint8Array.of(1) }]);
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good();
    bytes[at] = value;
    return bytes;
  };
  bootOf(spec({ kernel: good() }));
  refused({ kernel: changed(4, 2) }, "32-bit x86");
  refused({ kernel: changed(18, 62) }, "32-bit x86");
  refused({ kernel: changed(45, 0xff) }, "cut short");
  refused({ kernel: elfOf([{ at: 0x9f000, bytes: Uint8Array.of(1) }]) }, "out of place");
  refused({ kernel: elfOf([{ at: 0x1000000, bytes: Uint8Array.of(1), entry: 1 }]) }, "entry");
  refused({ kernel: good().subarray(0, 60) }, "cut short");
  refused({ kernel: new TextEncoder().encode("#!/bin/sh\n") }, "neither");
  refused({ kernel: new Uint8Array() }, "neither");
});

Deno.test("bootOf() refuses a bzImage of a protocol that does not tell what it needs", () => {
  refused({ kernel: bzImageOf({ version: 0x0209 }) }, "0x209");
  refused({ kernel: bzImageOf({ loadFlags: 0 }) }, "boot protocol");
});

Deno.test("bootOf() never writes outside memory, whatever the kernel says of itself", () => {
  const kernels = [bzImageOf(), elfOf([{ at: 0x1000000, bytes: new Uint8Array(64) }])];
  for (const original of kernels) {
    for (let at = 0; at < Math.min(original.length, 0x270); at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const kernel = original.slice();
        kernel[at] = value;
        let pieces: readonly { at: number; bytes: Uint8Array }[] = [];
        try {
          pieces = bootOf(spec({ kernel, initrd: new Uint8Array(PAGE_BYTES) })).load;
        } catch (error) {
          assert(error instanceof Fault, `byte ${at} = ${value}: ${error}`);
        }
        for (const piece of pieces) {
          assert(
            piece.at >= 0 && piece.at + piece.bytes.length <= 32 * MIB,
            `byte ${at} = ${value}`,
          );
        }
      }
    }
  }
});
