import { assertEquals } from "@std/assert";
import { REPLIES_WAITING_MAX, SLOW_SOCKET_MS } from "../../src/core/limits.ts";
import { Outbox } from "../../src/sessions/outbox.ts";
import { SendTurns } from "../../src/sessions/send_turns.ts";
import { FakeClock } from "../support/clock.ts";

class FakeSocket {
  readyState: number = WebSocket.OPEN;
  bufferedAmount = 0;
  readonly sent: string[] = [];

  send(text: string): void {
    this.sent.push(text);
  }
}

function bench() {
  const socket = new FakeSocket();
  const clock = new FakeClock();
  const tooSlow: number[] = [];
  const outbox = new Outbox({
    socket,
    clock,
    turns: new SendTurns(queueMicrotask),
    onTooSlow: () => tooSlow.push(clock.monotonicMs()),
  });
  return { socket, clock, tooSlow, outbox };
}

Deno.test("Outbox sends replies in order, then the newest of each topic", async () => {
  const { socket, outbox } = bench();
  outbox.offer("a", "a1", "change");
  outbox.reply("r1");
  outbox.offer("a", "a2", "change");
  outbox.offer("b", "b1", "change");
  outbox.reply("r2");
  outbox.withdraw("b");
  await Promise.resolve();
  assertEquals(socket.sent, ["r1", "r2", "a2"]);
});

Deno.test("Outbox writes nothing to a socket with unsent bytes and keeps only the newest (case 25)", async () => {
  const { socket, clock, outbox, tooSlow } = bench();
  socket.bufferedAmount = 1;
  for (let n = 0; n < 1000; n++) outbox.offer("a", `a${n}`, "change");
  await Promise.resolve();
  clock.advance(100);
  assertEquals(socket.sent, []);
  socket.bufferedAmount = 0;
  clock.advance(100);
  await Promise.resolve();
  assertEquals(socket.sent, ["a999"]);
  assertEquals([tooSlow, clock.pending], [[], 0]);
});

Deno.test("Outbox asks a source for its frame only when there is room, and again when it offers", async () => {
  const { socket, clock, outbox } = bench();
  let made = 0;
  const source = (): string | undefined => {
    if (++made < 3) outbox.offer("a", source, "news");
    return made < 3 ? `a${made}` : undefined;
  };
  socket.bufferedAmount = 1;
  outbox.offer("a", source, "news");
  await Promise.resolve();
  assertEquals([made, socket.sent], [0, []]);
  socket.bufferedAmount = 0;
  clock.advance(100);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  assertEquals([made, socket.sent], [3, ["a1", "a2"]]);
});

Deno.test("Outbox waits for a socket that still connects, and drops what a closing one cannot take", async () => {
  const { socket, outbox } = bench();
  socket.readyState = WebSocket.CONNECTING;
  outbox.offer("a", "a1", "change");
  await Promise.resolve();
  assertEquals(socket.sent, []);
  socket.readyState = WebSocket.OPEN;
  outbox.opened();
  await Promise.resolve();
  assertEquals(socket.sent, ["a1"]);
  outbox.reply("late");
  socket.readyState = WebSocket.CLOSING;
  await Promise.resolve();
  assertEquals(socket.sent, ["a1"]);
});

Deno.test("Outbox gives a client up that does not read for too long, once", async () => {
  const { socket, clock, outbox, tooSlow } = bench();
  socket.bufferedAmount = 1;
  outbox.reply("r");
  await Promise.resolve();
  for (let ms = 0; ms < SLOW_SOCKET_MS - 100; ms += 10) {
    clock.advance(10);
    await Promise.resolve();
  }
  assertEquals(tooSlow.length, 0);
  for (let ms = 0; ms < 200; ms += 10) {
    clock.advance(10);
    await Promise.resolve();
  }
  assertEquals(tooSlow.length, 1);
  outbox.reply("later");
  await Promise.resolve();
  clock.advance(SLOW_SOCKET_MS * 2);
  assertEquals([tooSlow.length, socket.sent.length, clock.pending], [1, 0, 0]);
});

Deno.test("Outbox gives a client up that asks without reading the answers", async () => {
  const { socket, outbox, tooSlow } = bench();
  socket.bufferedAmount = 1;
  for (let n = 0; n < REPLIES_WAITING_MAX; n++) outbox.reply(`r${n}`);
  await Promise.resolve();
  assertEquals(tooSlow.length, 0);
  outbox.reply("one too many");
  assertEquals(tooSlow.length, 1);
});

Deno.test("Outbox.offer() says when it has written the message, and never of one that was replaced", async () => {
  const { socket, clock, outbox } = bench();
  const sent: string[] = [];
  socket.bufferedAmount = 1;
  for (const text of ["a1", "a2"]) outbox.offer("a", text, "change", () => sent.push(text));
  await Promise.resolve();
  assertEquals(sent, []);
  socket.bufferedAmount = 0;
  clock.advance(100);
  await Promise.resolve();
  assertEquals([sent, socket.sent], [["a2"], ["a2"]]);
});
