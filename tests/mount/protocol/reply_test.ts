import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  attributesReply,
  bytesReply,
  DirectoryReply,
  entryReply,
  failureReply,
  initReply,
  ioctlReply,
  openReply,
  pollReply,
  pollWakeup,
  statfsReply,
  writeReply,
} from "../../../src/mount/protocol/reply.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const i32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });

/** The naive model: an unsigned number of `count` bytes at `at`. */
function at(bytes: Uint8Array, offset: number, count: number): bigint {
  let value = 0n;
  for (let i = 0; i < count; i++) value |= BigInt(bytes[offset + i] as number) << BigInt(8 * i);
  return value;
}

/** Checks header and length, and gives the body. */
function bodyOf(bytes: Uint8Array, unique: bigint, length: number, error = 0): Uint8Array {
  assertEquals(bytes.byteLength, 16 + length);
  assertEquals(at(bytes, 0, 4), BigInt(bytes.byteLength));
  assertEquals(BigInt.asIntN(32, at(bytes, 4, 4)), BigInt(error));
  assertEquals(at(bytes, 8, 8), unique);
  return bytes.subarray(16);
}

const attributes = fc.record({
  ino: u64,
  size: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  mode: u32,
  links: u32,
  uid: u32,
  gid: u32,
  timeNs: fc.bigInt({ min: 0n, max: 1n << 62n }),
});

function checkAttributes(body: Uint8Array, from: number, expected: {
  readonly ino: bigint;
  readonly size: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly timeNs: bigint;
}): void {
  assertEquals(at(body, from, 8), expected.ino);
  assertEquals(at(body, from + 8, 8), BigInt(expected.size));
  assertEquals(at(body, from + 16, 8), BigInt(Math.ceil(expected.size / 512)));
  for (const index of [0, 1, 2]) {
    const seconds = at(body, from + 24 + 8 * index, 8);
    const nanoseconds = at(body, from + 48 + 4 * index, 4);
    assertEquals(seconds * 1_000_000_000n + nanoseconds, expected.timeNs);
  }
  assertEquals(at(body, from + 60, 4), BigInt(expected.mode));
  assertEquals(at(body, from + 64, 4), BigInt(expected.links));
  assertEquals(at(body, from + 68, 4), BigInt(expected.uid));
  assertEquals(at(body, from + 72, 4), BigInt(expected.gid));
  assertEquals(at(body, from + 76, 4), 0n);
  assertEquals(at(body, from + 80, 4), 4096n);
}

Deno.test("replies: every number lies where fuse.h has it", () => {
  fc.assert(fc.property(u64, fc.integer({ min: 1, max: 4095 }), (unique, errno) => {
    bodyOf(failureReply(unique, errno), unique, 0, -errno);
  }));
  fc.assert(fc.property(u64, fc.uint8Array(), (unique, content) => {
    assertEquals(bodyOf(bytesReply(unique, content), unique, content.byteLength), content);
  }));
  fc.assert(fc.property(u64, u64, attributes, (unique, node, expected) => {
    const body = bodyOf(entryReply(unique, node, expected), unique, 128);
    assertEquals(at(body, 0, 8), node);
    // Nothing may be cached.
    assertEquals(body.slice(8, 40), new Uint8Array(32));
    checkAttributes(body, 40, expected);
  }));
  fc.assert(fc.property(u64, attributes, (unique, expected) => {
    const body = bodyOf(attributesReply(unique, expected), unique, 104);
    assertEquals(body.slice(0, 16), new Uint8Array(16));
    checkAttributes(body, 16, expected);
  }));
  fc.assert(fc.property(u64, u64, u32, i32, (unique, handle, flags, backing) => {
    const body = bodyOf(openReply(unique, { handle, flags, backing }), unique, 16);
    assertEquals(at(body, 0, 8), handle);
    assertEquals(at(body, 8, 4), BigInt(flags));
    assertEquals(BigInt.asIntN(32, at(body, 12, 4)), BigInt(backing));
  }));
  fc.assert(fc.property(u64, u32, i32, (unique, size, result) => {
    assertEquals(at(bodyOf(writeReply(unique, size), unique, 8), 0, 8), BigInt(size));
    assertEquals(at(bodyOf(pollReply(unique, size), unique, 8), 0, 8), BigInt(size));
    const ioctl = bodyOf(ioctlReply(unique, result), unique, 16);
    assertEquals(BigInt.asIntN(32, at(ioctl, 0, 4)), BigInt(result));
    assertEquals(ioctl.slice(4), new Uint8Array(12));
  }));
  fc.assert(fc.property(u64, (kh) => {
    // A notification has no request: its unique is 0, and its code stands for the error.
    assertEquals(at(bodyOf(pollWakeup(kh), 0n, 8, 1), 0, 8), kh);
  }));
  const statfs = bodyOf(statfsReply(5n, { blockBytes: 4096, nameBytesMax: 255 }), 5n, 80);
  assertEquals([at(statfs, 40, 4), at(statfs, 44, 4), at(statfs, 48, 4)], [4096n, 255n, 4096n]);
});

Deno.test("initReply: versions, flags of both words and bounds", () => {
  fc.assert(fc.property(u64, u64, u32, (unique, flags, maxWrite) => {
    const reply = initReply(unique, {
      major: 7,
      minor: 45,
      maxReadahead: 9,
      flags,
      maxBackground: 64,
      congestionThreshold: 48,
      maxWrite,
      maxPages: 256,
      maxStackDepth: 1,
    });
    const body = bodyOf(reply, unique, 64);
    const numbers = [0, 4, 8].map((offset) => at(body, offset, 4));
    assertEquals(numbers, [7n, 45n, 9n]);
    assertEquals(at(body, 12, 4) | at(body, 32, 4) << 32n, flags);
    assertEquals([at(body, 16, 2), at(body, 18, 2), at(body, 20, 4)], [64n, 48n, BigInt(maxWrite)]);
    assertEquals([at(body, 24, 4), at(body, 28, 2), at(body, 36, 4)], [1n, 256n, 1n]);
  }));
});

Deno.test("DirectoryReply: entries that fit are read back, and no byte is past the size", () => {
  const entry = fc.record({
    name: fc.string({ minLength: 1, maxLength: 30 }),
    isFolder: fc.boolean(),
    ino: u64,
  });
  fc.assert(fc.property(fc.array(entry), fc.integer({ min: 0, max: 600 }), (entries, size) => {
    const reply = new DirectoryReply(size);
    const taken = entries.findIndex((one, index) => !reply.add(one, BigInt(index + 1)));
    const expected = taken < 0 ? entries : entries.slice(0, taken);
    const { bytes } = reply;
    let offset = 0;
    for (const [index, { name, isFolder, ino }] of expected.entries()) {
      const nameBytes = new TextEncoder().encode(name);
      assertEquals(at(bytes, offset, 8), ino);
      assertEquals(at(bytes, offset + 8, 8), BigInt(index + 1));
      assertEquals(at(bytes, offset + 16, 4), BigInt(nameBytes.byteLength));
      assertEquals(at(bytes, offset + 20, 4), isFolder ? 4n : 8n);
      assertEquals(bytes.slice(offset + 24, offset + 24 + nameBytes.byteLength), nameBytes);
      offset += Math.ceil((24 + nameBytes.byteLength) / 8) * 8;
    }
    assertEquals(offset, bytes.byteLength);
  }));
});
