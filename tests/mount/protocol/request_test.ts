import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProtocolError } from "../../../src/mount/protocol/protocol_error.ts";
import { decodeRequest, type Request } from "../../../src/mount/protocol/request.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

type Part =
  | readonly ["u32", number]
  | readonly ["u64", bigint]
  | readonly ["bytes", Uint8Array];

/** The naive model: a message as fuse.h lays it out, written number by number. */
function naive(
  opcode: number,
  head: { unique: bigint; node: bigint; uid: number; gid: number; pid: number },
  body: readonly Part[],
  extensionWords = 0,
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const put = (value: bigint, count: number): void => {
    for (let i = 0; i < count; i++) bytes.push(Number(value >> BigInt(8 * i) & 255n));
  };
  put(0n, 4);
  put(BigInt(opcode), 4);
  put(head.unique, 8);
  put(head.node, 8);
  for (const id of [head.uid, head.gid, head.pid]) put(BigInt(id), 4);
  put(BigInt(extensionWords), 2);
  put(0n, 2);
  for (const [type, value] of body) {
    if (type === "bytes") bytes.push(...value);
    else put(BigInt(value), type === "u32" ? 4 : 8);
  }
  for (let i = 0; i < extensionWords * 8; i++) bytes.push(0xee);
  const message = new Uint8Array(bytes);
  new DataView(message.buffer).setUint32(0, message.byteLength, true);
  return message;
}

const head = fc.record({ unique: u64, node: u64, uid: u32, gid: u32, pid: u32 });
const name = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .filter((text) => !text.includes("\0") && text.isWellFormed());
const encoder = new TextEncoder();

/** A message by the naive model, and what is to be read in it. */
type Case = { message: Uint8Array<ArrayBuffer>; expected: Request };

const bare = ["getattr", 3, "setattr", 4, "statfs", 17, "flush", 25, "destroy", 38] as const;
const bareCases = Array.from(
  { length: bare.length / 2 },
  (_, i) =>
    fc.tuple(head, fc.uint8Array({ maxLength: 100 })).map(([h, rest]): Case => ({
      message: naive(bare[2 * i + 1] as number, h, [["bytes", rest]]),
      expected: { ...h, op: bare[2 * i] as "getattr" },
    })),
);

const cases: fc.Arbitrary<Case> = fc.oneof(
  ...bareCases,
  fc.tuple(head, name, fc.integer({ min: 0, max: 3 })).map(([h, text, extensions]): Case => ({
    message: naive(1, h, [["bytes", encoder.encode(`${text}\0`)]], extensions),
    expected: { ...h, op: "lookup", name: text },
  })),
  fc.tuple(head, u64).map(([h, lookups]): Case => ({
    message: naive(2, h, [["u64", lookups]]),
    expected: { ...h, op: "forget", nodes: [{ node: h.node, lookups }] },
  })),
  fc.tuple(head, fc.array(fc.record({ node: u64, lookups: u64 }), { maxLength: 20 })).map(
    ([h, nodes]): Case => ({
      message: naive(42, h, [
        ["u32", nodes.length],
        ["u32", 0],
        ...nodes.flatMap(({ node, lookups }) => [["u64", node], ["u64", lookups]] as const),
      ]),
      expected: { ...h, op: "forget", nodes },
    }),
  ),
  fc.tuple(head, u32, fc.boolean()).map(([h, flags, isFile]): Case => ({
    message: naive(isFile ? 14 : 27, h, [["u32", flags], ["u32", 7]]),
    expected: { ...h, op: isFile ? "open" : "opendir", flags },
  })),
  fc.tuple(head, u64, u64, u32, u32, fc.boolean()).map(
    ([h, handle, offset, size, flags, isFile]): Case => ({
      message: naive(isFile ? 15 : 28, h, [
        ...[["u64", handle], ["u64", offset], ["u32", size]] as const,
        ...[["u32", 9], ["u64", 8n], ["u32", flags], ["u32", 0]] as const,
      ]),
      expected: { ...h, op: isFile ? "read" : "readdir", handle, offset, size, flags },
    }),
  ),
  fc.tuple(head, u64, u64, u32, fc.uint8Array({ maxLength: 64 })).map(
    ([h, handle, offset, flags, bytes]): Case => ({
      message: naive(16, h, [
        ...[["u64", handle], ["u64", offset], ["u32", bytes.byteLength]] as const,
        ...[["u32", 9], ["u64", 8n], ["u32", flags], ["u32", 0], ["bytes", bytes]] as const,
      ]),
      expected: {
        ...h,
        op: "write",
        handle,
        offset,
        flags,
        bytes: bytes as Uint8Array<ArrayBuffer>,
      },
    }),
  ),
  fc.tuple(head, u64, u32, u64, fc.boolean()).map(([h, handle, command, arg, is32]): Case => ({
    message: naive(39, h, [
      ...[["u64", handle], ["u32", is32 ? 1 : 0], ["u32", command]] as const,
      ...[["u64", arg], ["u32", 0], ["u32", 0]] as const,
    ]),
    expected: { ...h, op: "ioctl", handle, command, argument: is32 ? arg & 0xffff_ffffn : arg },
  })),
  fc.tuple(head, u64, u64, fc.boolean()).map(([h, handle, kh, schedule]): Case => ({
    message: naive(40, h, [
      ...[["u64", handle], ["u64", kh], ["u32", schedule ? 1 : 0], ["u32", 1]] as const,
    ]),
    expected: { ...h, op: "poll", handle, notify: schedule ? kh : undefined },
  })),
  fc.tuple(head, u64, fc.boolean()).map(([h, handle, isFile]): Case => ({
    message: naive(isFile ? 18 : 29, h, [
      ...[["u64", handle], ["u32", 1], ["u32", 2], ["u64", 3n]] as const,
    ]),
    expected: { ...h, op: isFile ? "release" : "releasedir", handle },
  })),
  fc.tuple(head, u64).map(([h, target]): Case => ({
    message: naive(36, h, [["u64", target]]),
    expected: { ...h, op: "interrupt", target },
  })),
  fc.tuple(head, u32, u32).map(([h, flags, flags2]): Case => {
    const extended = (flags & 1 << 30) !== 0;
    return {
      message: naive(26, h, [
        ...[["u32", 7], ["u32", 45], ["u32", 65536], ["u32", flags]] as const,
        ...(extended ? [["u32", flags2], ["bytes", new Uint8Array(44)]] as const : []),
      ]),
      expected: {
        ...h,
        op: "init",
        major: 7,
        minor: 45,
        maxReadahead: 65536,
        flags: BigInt(flags) | (extended ? BigInt(flags2) << 32n : 0n),
      },
    };
  }),
  fc.tuple(head, fc.constantFrom(5, 6, 20, 22, 34, 35, 43, 46, 99, 4096)).map(
    ([h, opcode]): Case => ({
      message: naive(opcode, h, []),
      expected: { ...h, op: "unknown", opcode },
    }),
  ),
);

Deno.test("decodeRequest: reads what the naive model wrote, wherever it lies in memory", () => {
  fc.assert(
    fc.property(cases, fc.integer({ min: 0, max: 17 }), ({ message, expected }, shift) => {
      const memory = new Uint8Array(message.byteLength + 40).fill(0xaa);
      memory.set(message, shift);
      assertEquals(decodeRequest(memory.subarray(shift, shift + message.byteLength)), expected);
    }),
    { numRuns: 2_000 },
  );
});

/** Reads it; the only error that may come is our own. */
function readHostile(bytes: Uint8Array<ArrayBuffer>): Request | undefined {
  try {
    return decodeRequest(bytes);
  } catch (error) {
    assert(error instanceof ProtocolError, `${error}`);
    return undefined;
  }
}

Deno.test("decodeRequest: a torn message is refused, whatever lies behind it", () => {
  fc.assert(
    fc.property(cases, fc.nat(), ({ message }, cut) => {
      const length = cut % message.byteLength;
      assertThrows(() => decodeRequest(message.subarray(0, length)), ProtocolError);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeRequest: a message cut short with a length to match reads nothing behind its end", () => {
  fc.assert(
    fc.property(cases, fc.nat(), fc.integer({ min: 0, max: 255 }), ({ message }, cut, fill) => {
      const length = cut % message.byteLength;
      const inZeros = new Uint8Array(message.byteLength + 64);
      const inFill = new Uint8Array(message.byteLength + 64).fill(fill);
      for (const memory of [inZeros, inFill]) {
        memory.set(message.subarray(0, length));
        if (length >= 4) new DataView(memory.buffer).setUint32(0, length, true);
      }
      assertEquals(
        readHostile(inZeros.subarray(0, length)),
        readHostile(inFill.subarray(0, length)),
      );
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeRequest: hostile bytes give a request or a protocol error, nothing else", () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 });
  fc.assert(
    fc.property(cases, flips, ({ message }, changes) => {
      const bytes = message.slice();
      for (const [at, value] of changes) bytes[at % bytes.byteLength] = value;
      readHostile(bytes);
    }),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const message = new Uint8Array(bytes);
      if (message.byteLength >= 4) {
        new DataView(message.buffer).setUint32(0, message.byteLength, true);
      }
      readHostile(message);
    }),
    { numRuns: 3_000 },
  );
});
