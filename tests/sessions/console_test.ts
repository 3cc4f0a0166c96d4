import { assertEquals } from "@std/assert";
import {
  CONSOLE_FRAME_BYTES,
  CONSOLE_INPUT_BYTES_MAX,
  CONSOLE_RING_BYTES,
} from "../../src/core/limits.ts";
import { ConsoleSession } from "../../src/sessions/console.ts";
import type { FrameSource } from "../../src/sessions/outbox.ts";
import { Console } from "../../src/guests/linux/console.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A session whose client has room for a frame whenever `pull` is called. */
function bench(since = 0) {
  const console = new Console(() => new Promise(() => {}));
  const refused: string[] = [];
  let source: FrameSource | undefined;
  let endings = 0;
  const session = new ConsoleSession(console, {
    offer: (next) => source = next,
    gap: (after, before) => `gap ${after} ${before}`,
    refuse: ({ code }) => refused.push(code),
    ended: () => endings++,
  }, since);
  const pull = (): string | undefined => {
    const now = source;
    source = undefined;
    const frame = now?.();
    return frame instanceof Uint8Array ? new TextDecoder().decode(frame) : frame;
  };
  return { console, session, refused, pull, endings: () => endings };
}

Deno.test("ConsoleSession sends what the guest writes, from the offset that was asked for", () => {
  const { console, session, pull } = bench(3);
  console.append(bytes("before"));
  session.start();
  assertEquals([pull(), pull(), pull()], ["ore", undefined, undefined]);
  console.append(bytes("after"));
  assertEquals(pull(), "after");
});

Deno.test("ConsoleSession sends long output in frames of a bounded size", () => {
  const { console, session, pull } = bench();
  console.append(new Uint8Array(CONSOLE_FRAME_BYTES + 1).fill(120));
  session.start();
  assertEquals([pull()?.length, pull()?.length, pull()], [CONSOLE_FRAME_BYTES, 1, undefined]);
});

Deno.test("ConsoleSession tells a client that did not read what it has missed, and goes on", () => {
  const { console, session, pull } = bench();
  session.start();
  console.append(bytes("lost"));
  for (let round = 0; round < 100; round++) console.append(new Uint8Array(CONSOLE_RING_BYTES));
  const stored = 4 + 99 * CONSOLE_RING_BYTES;
  assertEquals(pull(), `gap 0 ${stored}`);
  assertEquals(pull()?.length, CONSOLE_FRAME_BYTES);
});

Deno.test("ConsoleSession ends when the guest has ended and all of it was sent", () => {
  const { console, session, pull, endings } = bench();
  console.append(bytes("last words"));
  console.close();
  session.start();
  assertEquals([pull(), endings()], ["last words", 0]);
  assertEquals([pull(), endings()], [undefined, 1]);
});

Deno.test("ConsoleSession says that the guest does not read what it is sent", () => {
  const { session, refused } = bench();
  session.receive(new Uint8Array(CONSOLE_INPUT_BYTES_MAX));
  assertEquals(refused, []);
  session.receive(bytes("x"));
  assertEquals(refused, ["console-input-full"]);
});

Deno.test("ConsoleSession is silent once its client is gone", () => {
  const { console, session, pull } = bench();
  session.start();
  session.end();
  console.append(bytes("x"));
  assertEquals(pull(), undefined);
});
