import { assert, assertEquals, assertThrows } from "@std/assert";
import { admin, Principal } from "../../src/access/tokens.ts";
import { EventLog } from "../../src/core/event_log.ts";
import { Fault } from "../../src/core/faults.ts";
import {
  EVENT_COMMENT_MS,
  EVENT_FOLLOWERS_MAX,
  EVENTS_RETAINED_MAX,
} from "../../src/core/limits.ts";
import { EventStreams } from "../../src/sessions/event_streams.ts";
import { FakeClock } from "../support/clock.ts";
import { MemoryLedger } from "../support/ledger.ts";

const fact = { kind: "scope.bumped", subject: "vm-7" };
const principal = admin("test");

async function bench() {
  const clock = new FakeClock();
  const events = await EventLog.open({ ledger: new MemoryLedger(), clock });
  const stop = new AbortController();
  const known = { isKnown: true };
  const streams = new EventStreams({
    events,
    stopping: stop.signal,
    isKnown: () => known.isKnown,
  });
  const follow = (after = events.lastSeq) => {
    const reader = streams.follow(after, principal).pipeThrough(new TextDecoderStream())
      .getReader();
    return { reader, next: async () => (await reader.read()).value };
  };
  return { clock, events, stop, known, follow, streams };
}

/** Lets everything run that waits for nothing but its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("EventStreams.follow() sends what happens, each event with its number", async () => {
  const { events, follow } = await bench();
  const { next, reader } = follow();
  const text = next();
  events.emit({ ...fact, data: { epoch: 7n } });
  events.emit(fact);
  const sent = await text;
  assert(sent?.startsWith(`id: ${events.lastSeq - 1}\nevent: scope.bumped\ndata: {"seq":`), sent);
  assertEquals(sent?.match(/^id: /gm)?.length, 2);
  assert(sent?.includes('"data":{"epoch":"7"}'));
  await reader.cancel();
});

Deno.test("EventStreams.follow() sends a gap once to a client that comes too late", async () => {
  const { events, follow } = await bench();
  const after = events.lastSeq;
  for (let n = 0; n < EVENTS_RETAINED_MAX + 5; n++) events.emit(fact);
  const { next, reader } = follow(after);
  const sent = await next();
  assert(sent?.startsWith(`id: ${after + 5}\nevent: gap\ndata: {"after":${after}`), sent);
  assertEquals((await next())?.includes("event: gap"), false);
  await reader.cancel();
});

Deno.test("EventStreams.follow() says that it is alive when nothing happens", async () => {
  const { clock, follow } = await bench();
  const { next, reader } = follow();
  const text = next();
  await turn();
  clock.advance(EVENT_COMMENT_MS);
  assertEquals(await text, ": still here\n\n");
  await reader.cancel();
});

Deno.test("EventStreams.follow() ends when the daemon stops, after what has happened till then", async () => {
  const { events, stop, follow } = await bench();
  const { next } = follow();
  const text = next();
  await turn();
  stop.abort();
  assertEquals(await text, undefined);
  const late = follow(events.lastSeq);
  events.emit(fact);
  assert((await late.next())?.includes("scope.bumped"));
  assertEquals(await late.next(), undefined);
});

Deno.test("EventStreams.follow() sends nothing to a client whose token was removed", async () => {
  const { events, known, follow } = await bench();
  const { next } = follow();
  const text = next();
  await turn();
  known.isKnown = false;
  events.emit(fact);
  assertEquals(await text, undefined);
});

Deno.test("EventStreams.follow() bounds how many follow, and counts each that leaves once", async () => {
  const { follow, known, events } = await bench();
  const followers = Array.from({ length: EVENT_FOLLOWERS_MAX }, () => follow());
  assertEquals(assertThrows(() => follow(), Fault).code, "followers-exhausted");
  await followers[0]?.reader.cancel();
  await followers[0]?.reader.cancel();
  follow();
  assertThrows(() => follow(), Fault);
  known.isKnown = false;
  events.emit(fact);
  await turn();
  await Promise.all(followers.slice(1).map(({ reader }) => reader.read()));
  follow();
});

Deno.test("EventStreams.follow() leaves places for others when one caller takes all it can", async () => {
  const { streams, stop } = await bench();
  const greedy = new Principal("greedy", ["read"]);
  let count = 0;
  const fault = assertThrows(() => {
    for (; count < EVENT_FOLLOWERS_MAX; count++) streams.follow(0, greedy);
  }, Fault);
  assertEquals([fault.code, count], ["followers-exhausted", 438]);
  streams.follow(0, new Principal("other", ["read"]));
  streams.follow(0, principal);
  stop.abort();
});

Deno.test("EventStreams.follow() of some events sends only those, and keeps the reader's place", async () => {
  const { clock, events, streams } = await bench();
  const reader = streams.follow(events.lastSeq, principal, ({ subject }) => subject === "vm-8")
    .pipeThrough(new TextDecoderStream()).getReader();
  const first = reader.read();
  await turn();
  events.emit(fact);
  events.emit({ ...fact, subject: "vm-8" });
  const { value } = await first;
  assertEquals(value?.match(/^id: .*$/gm), [`id: ${events.lastSeq}`]);
  const second = reader.read();
  await turn();
  events.emit(fact);
  clock.advance(EVENT_COMMENT_MS);
  assertEquals((await second).value, `: still here\nid: ${events.lastSeq}\n\n`);
  await reader.cancel();
});
