import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { CONSOLE_INPUT_BYTES_MAX, CONSOLE_RING_BYTES } from "../../../src/core/limits.ts";
import { Console } from "../../../src/guests/linux/console.ts";
import { SeededRandom, testSeed } from "../../support/random.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (part: { bytes: Uint8Array }): string => new TextDecoder().decode(part.bytes);
const silent = (): Console => new Console(() => Promise.resolve());

Deno.test("Console.read() gives what was written since an offset", () => {
  const console = silent();
  console.append(bytes("hello "));
  console.append(bytes("world"));
  assertEquals(text(console.read(0)), "hello world");
  assertEquals(console.read(6), { start: 6, bytes: bytes("world") as Uint8Array<ArrayBuffer> });
  assertEquals(text(console.read(6, 2)), "wo");
  assertEquals(console.read(99).start, 11);
  assertEquals(console.read(11).bytes.length, 0);
});

Deno.test("Console.read() says where it begins when what was asked for is gone", () => {
  const console = silent();
  console.append(bytes("first"));
  console.append(new Uint8Array(CONSOLE_RING_BYTES).fill(120));
  assertEquals([console.start, console.end], [5, CONSOLE_RING_BYTES + 5]);
  const { start, bytes: stored } = console.read(0);
  assertEquals([start, stored.length], [5, CONSOLE_RING_BYTES]);
  assert(stored.every((byte) => byte === 120));
});

Deno.test("Console keeps the last bytes of any writing, whatever its pieces", () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const console = silent();
  let all: Uint8Array = new Uint8Array();
  for (let round = 0; round < 200; round++) {
    const size = random.below(round % 20 === 0 ? 3 * CONSOLE_RING_BYTES : 3000);
    const piece = random.bytes(size);
    console.append(piece);
    const both = new Uint8Array(all.length + size);
    both.set(all);
    both.set(piece, all.length);
    const dropped = Math.max(0, both.length - CONSOLE_RING_BYTES);
    all = both.slice(dropped);
    const { start, bytes: stored } = console.read(0);
    assertEquals(start, console.end - all.length);
    assertEquals(stored.length, all.length);
    assert(stored.every((byte, at) => byte === all[at]), `seed ${seed}, round ${round}`);
  }
});

Deno.test("Console.listen() tells of more and of the end, until it is stopped", () => {
  const console = silent();
  let calls = 0;
  const stop = console.listen(() => calls++);
  console.append(bytes("a"));
  console.close();
  stop();
  console.append(bytes("b"));
  assertEquals([calls, console.isOver], [2, true]);
});

Deno.test("Console.type() refuses what passes the bound, and takes more once the guest has read", async () => {
  const taken: (() => void)[] = [];
  const console = new Console(() => new Promise((resolve) => taken.push(resolve)));
  console.type(new Uint8Array(CONSOLE_INPUT_BYTES_MAX - 1));
  console.type(new Uint8Array(1));
  const fault = assertThrows(() => console.type(new Uint8Array(1)), Fault);
  assertEquals(fault.code, "console-input-full");
  assertEquals(taken.length, 2);
  for (const take of taken) take();
  await new Promise((resolve) => setTimeout(resolve, 0));
  console.type(new Uint8Array(CONSOLE_INPUT_BYTES_MAX));
});

Deno.test("Console.type() takes nothing for nothing", () => {
  let sent = 0;
  const console = new Console(() => {
    sent++;
    return Promise.resolve();
  });
  console.type(new Uint8Array());
  assertEquals(sent, 0);
  console.type(bytes("a"));
  assertEquals(sent, 1);
});
