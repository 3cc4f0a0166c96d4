import { assert, assertEquals, assertRejects } from "@std/assert";
import { EventLog } from "../../src/core/event_log.ts";
import { EVENT_FLUSH_MS, EVENTS_RETAINED_MAX } from "../../src/core/limits.ts";
import { toJson } from "../../src/wire/problem.ts";
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

Deno.test("EventLog.open() after a clean stop has all events and the very next number: no gap", async () => {
  const shared = world();
  const before = await EventLog.open(shared);
  before.emit({ ...fact, reason: "restore", data: { epoch: 1n << 63n, n: [2n] } });
  shared.clock.advance(EVENT_FLUSH_MS);
  before.emit(fact);
  const shown = before.after(0, 10);
  await before.close();
  const after = await EventLog.open(shared);
  assertEquals(toJson(after.after(0, 10)), toJson(shown));
  assertEquals(after.lastSeq, before.lastSeq);
  after.emit(fact);
  const { gap, items } = after.after(0, 10);
  assertEquals([gap, items.map(({ seq }) => seq)], [undefined, [1, 2, 3]]);
});

Deno.test("EventLog.open() after a kill has what was written, and a gap before what comes then", async () => {
  const shared = world();
  const before = await EventLog.open(shared);
  before.emit(fact);
  before.emit(fact);
  shared.clock.advance(EVENT_FLUSH_MS);
  await before.save();
  before.emit(fact);
  const after = await EventLog.open(shared);
  after.emit({ ...fact, subject: "vm-8" });
  const old = after.after(0, 10);
  assertEquals([old.gap, old.items.map(({ seq }) => seq)], [undefined, [1, 2]]);
  const fresh = after.after(2, 10);
  assertEquals(fresh.items.map(({ subject }) => subject), ["vm-8"]);
  assertEquals(fresh.gap, { after: 2, before: fresh.items[0]?.seq });
  // The reader had the event that was lost, and is told as well.
  assertEquals(after.after(3, 10).gap, { after: 3, before: fresh.items[0]?.seq });
});

Deno.test("EventLog keeps the ledger as bounded as the ring, over restarts too", async () => {
  const shared = world();
  let lastSeq = 0;
  for (let life = 0; life < 3; life++) {
    const log = await EventLog.open(shared);
    for (let n = 0; n < EVENTS_RETAINED_MAX; n++) {
      log.emit(fact);
      if (n % 1_000 === 0) await log.save();
    }
    await log.close();
    lastSeq = log.lastSeq;
  }
  assertEquals(lastSeq, 3 * EVENTS_RETAINED_MAX);
  assertEquals((await shared.ledger.load("event")).length, EVENTS_RETAINED_MAX);
  const log = await EventLog.open(shared);
  assertEquals(log.after(2 * EVENTS_RETAINED_MAX, 5).gap, undefined);
  assert(log.after(0, 5).gap !== undefined);
});

Deno.test("EventLog.save() that fails loses nothing: the next one writes all", async () => {
  const shared = world();
  const log = await EventLog.open(shared);
  log.emit(fact);
  shared.ledger.failing = new Error("disk full");
  await assertRejects(() => log.save());
  shared.ledger.failing = undefined;
  log.emit(fact);
  await log.close();
  assertEquals((await EventLog.open(shared)).after(0, 10).items.length, 2);
});
