import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readFrame } from "../../src/wire/watch_frames.ts";

Deno.test("readFrame() reads each frame of a client", () => {
  const ack = { type: "ack", id: 1, scope: "vm-7", generation: 4294967295, epoch: "7" };
  const read = readFrame(JSON.stringify(ack));
  assert(read.ok);
  assertEquals(read.frame, { ...ack, type: "ack", epoch: 7n });
});

Deno.test("readFrame() says which request a wrong frame belongs to, where it can", () => {
  const code = (frame: unknown) => {
    const read = readFrame(JSON.stringify(frame));
    assert(!read.ok);
    return read.id === undefined ? "none" : `${read.id} ${read.fault.code}`;
  };
  const ack = { type: "ack", id: 1, scope: "vm-7", generation: 1 };
  assertEquals(code({ ...ack, extra: 1 }), "1 malformed-request");
  assertEquals(code({ ...ack, generation: "1" }), "1 malformed-request");
  assertEquals(code({ ...ack, generation: -1 }), "1 value-not-allowed");
  assertEquals(code({ ...ack, epoch: "18446744073709551616" }), "1 value-not-allowed");
  assertEquals(code({ ...ack, scope: "A" }), "1 bad-name");
  assertEquals(code({ ...ack, type: "fly" }), "1 malformed-request");
  assertEquals(code({ ...ack, id: {} }), "none");
  for (const frame of [null, 7, "x", [], {}]) assertEquals(code(frame), "none");
});

Deno.test("readFrame() takes any text without throwing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    readFrame(text);
  }));
});
