import { assertEquals } from "@std/assert";
import type { Scope, Watcher } from "../../src/console/types.ts";
import { barrierState, quiesceState, scopeState, watcherState } from "../../src/console/labels.js";

const SCOPE: Scope = {
  name: "vm-7",
  generation: 4,
  epoch: "4",
  unique: "00",
  phase: "settling",
  reason: "restore",
  changedAt: "2026-11-20T13:43:52Z",
  watchers: 3,
  tracked: 3,
  outdated: 2,
  failed: 0,
  held: 0,
  lost: 0,
  page: "/run/x",
  requireQuiesce: false,
  trackOnOpen: false,
  onDisconnect: "hold",
  onLost: "block",
  expect: [],
  atLeast: 0,
  forgetLostMs: 0,
  confirmed: 1,
  unmet: [],
};
const WATCHER: Watcher = {
  watcher: "w-1",
  name: "app",
  tracked: true,
  presence: "connected",
  presenceSince: "2026-11-20T13:43:50Z",
  leaseMs: 1000,
  outdated: true,
  quiesced: false,
  failed: false,
};

Deno.test("barrierState() says what the barrier itself would answer", () => {
  const say = (change: Partial<Scope>) => {
    const { word, detail } = barrierState({ ...SCOPE, ...change });
    return `${word}: ${detail}`;
  };
  assertEquals(say({}), "Shut: Waits for 2 of 3 watchers.");
  assertEquals(say({ failed: 1 }), "Shut: Waits for 2 of 3 watchers; 1 could not adapt.");
  assertEquals(say({ lost: 1 }), "Shut: Waits for 2 of 3 watchers.");
  assertEquals(say({ lost: 2 }), "Shut: Only lost watchers are left, 2 of 3.");
  assertEquals(say({ lost: 2, onLost: "open" }), "Open: 2 of 3 watchers are lost.");
  assertEquals(say({ lost: 2, onLost: "open", failed: 1 }).slice(0, 5), "Shut:");
  assertEquals(say({ outdated: 0 }), "Open: Each of 3 watchers confirmed generation 4.");
  assertEquals(
    say({ outdated: 0, tracked: 0 }),
    "Open: No tracked watchers, so nobody is waited for.",
  );
});

Deno.test("watcherState() names the worst that is known of a watcher", () => {
  const word = (change: Partial<Watcher>) => watcherState(SCOPE, { ...WATCHER, ...change }).word;
  assertEquals(word({}), "Late");
  assertEquals(word({ failed: true, presence: "lost" }), "Failed");
  assertEquals(word({ presence: "lost" }), "Lost");
  assertEquals(word({ presence: "held", outdated: false }), "Held");
  assertEquals(word({ presence: "superseded", outdated: true }), "Superseded");
  assertEquals(word({ outdated: false }), "Confirmed");
});

Deno.test("scopeState() and quiesceState() tell what is missing", () => {
  assertEquals(scopeState(SCOPE).word, "Settling");
  assertEquals(scopeState({ ...SCOPE, failed: 1 }).word, "1 failed");
  assertEquals(scopeState({ ...SCOPE, lost: 2 }).word, "2 lost");
  assertEquals(scopeState({ ...SCOPE, phase: "running", outdated: 0 }).word, "Settled");
  const quiesce = { quiesce: "q-1", reason: "snapshot", maxMs: 1, since: "2026-11-20T13:43:52Z" };
  const detail = (waiting: number) =>
    quiesceState({ ...SCOPE, quiesce: { ...quiesce, waiting } }).detail;
  assertEquals(detail(1), "2 of 3 watchers stand still.");
  assertEquals(detail(0), "Each of 3 watchers stands still: safe to bump.");
});
