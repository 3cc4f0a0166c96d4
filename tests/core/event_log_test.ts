import { assert, assertEquals } from "@std/assert";
import { EventLog } from "../../src/core/event_log.ts";
import { EVENTS_RETAINED_MAX } from "../../src/core/limits.ts";
import { FakeClock } from "../support/clock.ts";
import { MemoryLedger } from "../support/ledger.ts";

const fact = { kind: "scope.bumped", subject: "vm-7" };

function world() {
  return { ledger: new MemoryLedger(), clock: new FakeClock() };
}

Deno.test("EventLog.after() gives what came after, in order", async () => {
  const log = await EventLog.open(world());
  for (let n = 0; n < 5; n++) log.emit({ ...fact, data: { n } });
  const first = log.after(0, 2);
  assertEquals(first.items.map(({ data }) => data?.["n"]), [0, 1]);
  assertEquals(first.gap, undefined);
  const last = first.items.at(-1)?.seq as number;
  assertEquals(log.after(last, 10).items.map(({ data }) => data?.["n"]), [2, 3, 4]);
  assertEquals(log.after(log.lastSeq, 10), { gap: undefined, items: [] });
});

Deno.test("EventLog.after() tells a reader once what it can no longer have", async () => {
  const log = await EventLog.open(world());
  const first = log.lastSeq + 1;
  for (let n = 0; n < EVENTS_RETAINED_MAX + 10; n++) log.emit(fact);
  const { gap, items } = log.after(first, 5);
  assertEquals(gap, { after: first, before: first + 10 });
  assertEquals(items[0]?.seq, first + 10);
  assertEquals(log.after(items.at(-1)?.seq as number, 5).gap, undefined);
});

Deno.test("EventLog.open() goes on with greater numbers, and a reader across the restart gets one gap", async () => {
  const shared = world();
  const before = await EventLog.open(shared);
  before.emit(fact);
  before.emit(fact);
  const known = before.lastSeq;
  const after = await EventLog.open(shared);
  after.emit(fact);
  const { gap, items } = after.after(known, 10);
  assert(items[0] !== undefined && items[0].seq > known);
  assertEquals(gap, { after: known, before: items[0].seq });
});

Deno.test("EventLog.after() of a number that never was says so", async () => {
  const log = await EventLog.open(world());
  log.emit(fact);
  const { gap, items } = log.after(log.lastSeq + 1000, 10);
  assert(gap !== undefined);
  assertEquals(items.length, 1);
});

Deno.test("EventLog.next() gives what happens next, or nothing when that takes too long", async () => {
  const { ledger, clock } = world();
  const log = await EventLog.open({ ledger, clock });
  const { signal } = new AbortController();
  const known = log.lastSeq;
  const waiting = log.next(known, 10, 1000, signal);
  log.emit(fact);
  assertEquals((await waiting)?.items.map(({ seq }) => seq), [known + 1]);
  assertEquals((await log.next(known, 10, 0, signal))?.items.length, 1);
  const silent = log.next(log.lastSeq, 10, 1000, signal);
  clock.advance(1000);
  assertEquals(await silent, undefined);
});

Deno.test("EventLog.next() ends its wait when the caller goes away", async () => {
  const log = await EventLog.open(world());
  const gone = new AbortController();
  const waiting = log.next(log.lastSeq, 10, 1000, gone.signal);
  gone.abort();
  assertEquals(await waiting, undefined);
});

Deno.test("EventLog.next() gives what was found when more comes at once, and only what may be shown", async () => {
  const log = await EventLog.open(world());
  const { signal } = new AbortController();
  const audience = (name: string) => ({ about: { kind: "scopes", name } as const });
  const isVisible = ({ subject }: { subject: string }) => subject === "mine";
  const known = log.lastSeq;
  const waiting = log.next(known, 10, 1000, signal, isVisible);
  log.emit({ ...fact, subject: "theirs" }, audience("theirs"));
  log.emit({ ...fact, subject: "mine" }, audience("mine"));
  log.emit({ ...fact, subject: "theirs" }, audience("theirs"));
  log.emit({ ...fact, subject: "mine" }, audience("mine"));
  const page = await waiting;
  assertEquals(page?.items.map(({ seq }) => seq), [known + 2]);
  const rest = log.visibleAfter(page?.through ?? 0, 10, isVisible);
  assertEquals([rest.items.map(({ seq }) => seq), rest.through], [[known + 4], known + 4]);
  log.emit({ ...fact, subject: "theirs" }, audience("theirs"));
  const hidden = await log.next(known + 4, 10, 0, signal, isVisible);
  assertEquals([hidden?.items, hidden?.through], [[], known + 5]);
});
