import { assertEquals } from "@std/assert";
import { retry } from "@std/async";
import type { Fault } from "../../src/core/faults.ts";
import { REPLIES_WAITING_MAX } from "../../src/core/limits.ts";
import { Principal } from "../../src/access/tokens.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { SysgenidSession } from "../../src/sessions/sysgenid.ts";
import { type WatchRequest, WatchSession } from "../../src/sessions/watch.ts";
import { sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { ScopesBench } from "../support/scopes.ts";

const restore = { reason: "restore", by: "test" };
type Said = Record<string, unknown>;

async function bench() {
  const world = new ScopesBench();
  const scopes = await world.withScope("vm-7");
  const replies: Said[] = [];
  const slots = new Map<string, Said>();
  const sending = new Map<string, () => void>();
  const session = new WatchSession(scopes, {
    reply: (message) => replies.push(message as Said),
    refuse: (id, fault: Fault) => replies.push({ type: "error", id, code: fault.code }),
    offer: (topic, message, _rank, onSent) => {
      slots.set(topic, message as Said);
      if (onSent !== undefined) sending.set(topic, onSent);
    },
    withdraw: (topic) => slots.delete(topic),
    // As a socket does: the session ends inside of the call.
    takenOver: () => {
      replies.push({ type: "taken over" });
      void session.end();
    },
  });
  const send = async (request: WatchRequest): Promise<Said> => {
    session.receive(request);
    for (;;) {
      const answer = replies.find(({ id }) => id === request.id);
      if (answer !== undefined) return answer;
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
  };
  const { processes } = world;
  /** Begins a quiesce, of which the connection sends the message at once. */
  const quiesce = async () => {
    const begun = await scopes.get("vm-7").beginQuiesce({ reason: "snapshot", maxMs: 1_000 });
    sending.get("quiesce vm-7")?.();
    return begun;
  };
  return { scope: scopes.get("vm-7"), scopes, session, slots, replies, send, processes, quiesce };
}

const watch = {
  type: "watch",
  id: 1,
  scope: "vm-7",
  name: "a",
  track: true,
  progress: false,
} as const;

Deno.test("WatchSession keeps one slot a scope with the newest generation (case 25)", async () => {
  const { scope, slots, send } = await bench();
  await send(watch);
  for (let n = 0; n < 5; n++) await scope.bump(restore);
  assertEquals([...slots.keys()], ["generation vm-7"]);
  assertEquals(slots.get("generation vm-7")?.["epoch"], 5n);
  await send({ type: "ack", id: 2, scope: "vm-7", generation: 5, epoch: 5n });
  assertEquals([...slots.keys()], ["settled vm-7"]);
});

Deno.test("WatchSession answers frames in order, and two acks alike (case 26)", async () => {
  const { scope, session, replies, send } = await bench();
  session.receive(watch);
  await send({ type: "ack", id: 2, scope: "vm-7", generation: 0 });
  await scope.bump(restore);
  session.receive({ type: "ack", id: 3, scope: "vm-7", generation: 1 });
  await send({ type: "ack", id: 4, scope: "vm-7", generation: 1 });
  assertEquals(replies.map(({ type, id }) => [type, id]), [
    ["watching", 1],
    ["acked", 2],
    ["acked", 3],
    ["acked", 4],
  ]);
  assertEquals(scope.state.counts.outdated, 0);
});

Deno.test("WatchSession watching again on the same scope changes tracking", async () => {
  const { scope, send } = await bench();
  await send({ ...watch, track: false });
  assertEquals(scope.state.counts.tracked, 0);
  const again = await send({ ...watch, id: 2 });
  assertEquals([again["type"], scope.state.counts], [
    "watching",
    { watchers: 1, tracked: 1, outdated: 0 },
  ]);
});

Deno.test("WatchSession tells a quiesce, takes who follows, and tells its end", async () => {
  const { scope, slots, send } = await bench();
  await send(watch);
  await scope.beginQuiesce({ reason: "snapshot", maxMs: 1000 });
  assertEquals(slots.get("quiesce vm-7"), {
    type: "quiesce",
    scope: "vm-7",
    quiesce: scope.state.quiesce?.id,
    epoch: 0n,
    reason: "snapshot",
    maxMs: 1000,
  });
  assertEquals((await send({ type: "quiesced", id: 2, scope: "vm-7" }))["type"], "quiesced");
  assertEquals(scope.state.phase, "quiesced");
  await scope.unquiesce("changed my mind");
  assertEquals(slots.get("quiesce vm-7")?.["type"], "unquiesce");
});

Deno.test("WatchSession reports a failure, and refuses what does not fit", async () => {
  const { scope, send } = await bench();
  await send(watch);
  await scope.bump(restore);
  const fail = { type: "fail", id: 2, scope: "vm-7", generation: 1, reason: "no entropy" } as const;
  assertEquals((await send(fail))["type"], "failed");
  assertEquals((await send({ ...fail, id: 3, generation: 0 }))["code"], "stale-generation");
  const other = { ...fail, id: 4, scope: "system" };
  assertEquals((await send(other))["code"], "not-watching");
  assertEquals((await send({ ...watch, id: 5, scope: "nobody" }))["code"], "scope-not-found");
});

Deno.test("WatchSession.end() holds the tracked and lets the others go, also one that is just being made", async () => {
  const { scopes, scope, session } = await bench();
  await scopes.put("vm-8", scope.state.options);
  session.receive(watch);
  session.receive({ ...watch, scope: "vm-8", track: false });
  await session.end();
  // The one that was being made has a token to hash first.
  await retry(() => assertEquals(scope.state.counts.watchers, 1), { minTimeout: 1 });
  await retry(() => assertEquals([...scope.state.watchers][0]?.presence, "held"), {
    minTimeout: 1,
  });
  const presences = [...scope.state.watchers].map(({ presence }) => presence);
  assertEquals(presences, ["held"]);
  assertEquals(scopes.get("vm-8").state.counts.watchers, 0);
});

Deno.test("WatchSession whose watcher came back elsewhere ends, and its end holds nobody (decision 8)", async () => {
  const { scope, session, replies, send, processes } = await bench();
  const process = processes.start();
  const { token, watcher } = await send({ ...watch, process });
  const returning = { name: "a", track: true, token: String(token), process };
  const back = await scope.watchers.watch(returning);
  assertEquals([back.resumed, replies.at(-1)?.["type"]], [true, "taken over"]);
  await session.end();
  assertEquals(scope.state.watcher(String(watcher)).presence, "connected");
  await scope.bump(restore);
  assertEquals(scope.state.counts.outdated, 1);
});

Deno.test("WatchSession.receive() cuts off a client that sends faster than it is served", async () => {
  const { session } = await bench();
  session.receive(watch);
  const taken = Array.from({ length: REPLIES_WAITING_MAX + 1 }, () => session.receive(watch));
  assertEquals([taken.at(0), taken.at(-1)], [true, false]);
});

Deno.test("SysgenidSession sends the 4 bytes until exactly they come back (cases 5, 7, 8)", async () => {
  const scopes = await new ScopesBench().withScope("vm-7");
  const scope = scopes.get("vm-7");
  const { watcher } = await scope.watchers.watch({ name: "a", track: true });
  const said: unknown[] = [];
  const session = new SysgenidSession(scope, watcher, {
    offer: (bytes) => said.push([...bytes]),
    withdraw: () => {},
    taken: () => said.push("taken"),
    refuse: ({ code }) => said.push(code),
    end: () => said.push("end"),
  });
  session.start();
  assertEquals(said.splice(0), []);
  await scope.bump({ ...restore, minimum: 0x01020304 });
  const now = [4, 3, 2, 1];
  assertEquals(said.splice(0), [now]);
  for (const wrong of [0x01020303, 0x01020305, 0]) {
    session.receive(sysgenidBytes(wrong));
    assertEquals(said.splice(0), ["stale-generation", now]);
  }
  for (const length of [0, 3, 5]) {
    session.receive(new Uint8Array(length));
    assertEquals(said.splice(0), ["wrong-length", now]);
  }
  session.receive(sysgenidBytes(0x01020304));
  session.receive(sysgenidBytes(0x01020304));
  assertEquals([said.splice(0), scope.state.counts.outdated], [["taken", "taken"], 0]);
  await scope.watchers.release(watcher.id);
  session.receive(sysgenidBytes(0x01020304));
  assertEquals(said.splice(0), ["watcher-not-found", "end"]);
  await session.end();
  await scopes.delete("vm-7", true);
});

Deno.test("WatchSession sends progress only to whom has asked, until it asks otherwise", async () => {
  const { scope, slots, send } = await bench();
  const other = await scope.watchers.watch({ name: "b", track: true });
  await send({ ...watch, track: false });
  await scope.bump(restore);
  assertEquals(slots.has("progress vm-7"), false);
  await send({ ...watch, id: 2, track: false, progress: true });
  scope.watchers.fail(other.watcher.id, 1, "no entropy");
  assertEquals(slots.get("progress vm-7"), {
    ...{ type: "progress", scope: "vm-7", generation: 1, epoch: 1n },
    ...{ phase: "settling", outdated: 1 },
  });
  scope.watchers.ack(other.watcher.id, 1);
  assertEquals(slots.get("progress vm-7")?.["phase"], "running");
  await send({ ...watch, id: 3, track: false });
  assertEquals(slots.has("progress vm-7"), false);
  await scope.bump(restore);
  assertEquals(slots.has("progress vm-7"), false);
});

Deno.test("WatchSession needs the permission to watch each scope, and its watchers are its caller's", async () => {
  const scopes = await new ScopesBench().withScope("vm-7");
  await scopes.put("tenant-b-1", DEFAULT_OPTIONS);
  const replies: Said[] = [];
  const session = new WatchSession(scopes, {
    reply: (message) => replies.push(message as Said),
    refuse: (id, fault: Fault) => replies.push({ type: "error", id, code: fault.code }),
    offer: () => {},
    withdraw: () => {},
    takenOver: () => {},
  }, new Principal("b", ["watch:tenant-b-*"]));
  for (const [id, scope] of ["vm-7", "gone", "tenant-b-1", "tenant-b-2"].entries()) {
    session.receive({ ...watch, id, scope });
  }
  await retry(() => assertEquals(replies.length, 4), { minTimeout: 1, maxTimeout: 5 });
  assertEquals(replies.map(({ code = "watching" }) => code), [
    ...["not-permitted", "not-permitted", "watching", "scope-not-found"],
  ]);
  const [watcher] = scopes.get("tenant-b-1").state.watchers;
  assertEquals([watcher?.owner, scopes.get("vm-7").state.counts.watchers], ["b", 0]);
});

Deno.test("WatchSession takes a late answer without an id for the quiesce that it answers, not for the next one", async () => {
  const { scope, send, quiesce: begin } = await bench();
  await send(watch);
  const answer = { type: "quiesced", scope: "vm-7" } as const;
  await begin();
  const second = await begin();
  assertEquals((await send({ ...answer, id: 2 }))["code"], "not-quiescing", "that is the first");
  assertEquals(scope.state.phase, "quiescing");
  assertEquals((await send({ ...answer, id: 3 }))["type"], "quiesced");
  assertEquals([scope.state.phase, scope.state.quiesce?.id], ["quiesced", second.id]);
  assertEquals((await send({ ...answer, id: 4 }))["code"], "not-quiescing", "none is left");
});

Deno.test("WatchSession of a client that names quiesces takes no answer without a name for a later one", async () => {
  const { scope, send, quiesce: begin } = await bench();
  await send(watch);
  const answer = { type: "quiesced", scope: "vm-7" } as const;
  const { id } = await begin();
  await begin();
  const third = await begin();
  assertEquals((await send({ ...answer, id: 2, quiesce: id }))["code"], "not-quiescing");
  // It may be the answer to the second: nobody can tell.
  assertEquals((await send({ ...answer, id: 3 }))["code"], "not-quiescing");
  assertEquals(scope.state.phase, "quiescing");
  assertEquals((await send({ ...answer, id: 4, quiesce: third.id }))["type"], "quiesced");
  assertEquals(scope.state.phase, "quiesced");
});
