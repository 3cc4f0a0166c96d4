import { assertEquals } from "@std/assert";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import type { Watcher } from "../../src/generations/watcher.ts";
import { SysgenidSession } from "../../src/sessions/sysgenid.ts";
import { ScopesBench } from "../support/scopes.ts";

const restore = { reason: "restore", by: "test" };
const TOKEN = "a-secret-of-its-own";

/** A connection of 4-byte frames, and what its client is sent. */
function connection(scope: LiveScope, watcher: Watcher, canQuiesce = false) {
  const said: unknown[] = [];
  const session = new SysgenidSession(scope, watcher, {
    offer: (bytes) => said.push([...bytes]),
    withdraw: () => {},
    taken: () => said.push("taken"),
    refuse: ({ code }) => said.push(code),
    notice: (message) => said.push(message),
    takenOver: () => said.push("taken over"),
    end: () => said.push("end"),
  }, canQuiesce);
  session.start();
  return { session, said };
}

async function bench() {
  const world = new ScopesBench();
  const scope = (await world.withScope("vm-7", { requireQuiesce: true })).get("vm-7");
  return { world, scope };
}

Deno.test("SysgenidSession without quiesce=true is named as one that cannot quiesce", async () => {
  const { scope } = await bench();
  const { watcher } = await scope.watchers.watch({ name: "a", track: true });
  const { session, said } = connection(scope, watcher);
  assertEquals(session.receiveText, undefined);
  await scope.beginQuiesce({ reason: "snapshot", maxMs: 1_000 });
  assertEquals(typeof scope.state.inability(scope.state.watcher(watcher.id)), "string");
  assertEquals([said, scope.state.phase], [[], "quiescing"]);
});

Deno.test("SysgenidSession with quiesce=true is told of a quiesce and of its end, and answers by its id", async () => {
  const { scope } = await bench();
  const { watcher } = await scope.watchers.watch({ name: "a", track: true });
  const { session, said } = connection(scope, watcher, true);
  const { id, epoch } = await scope.beginQuiesce({ reason: "snapshot", maxMs: 1_000 });
  const notice = { type: "quiesce", quiesce: id, epoch, reason: "snapshot", maxMs: 1_000 };
  assertEquals(said.splice(0), [notice]);
  for (const text of ["", "{}", '{"type":"quiesced"}', '{"type":"quiesced","quiesce":"q-0"}']) {
    session.receiveText?.(text);
  }
  assertEquals(said.splice(0), [
    ...["malformed-request", "malformed-request", "malformed-request", "not-quiescing"],
  ]);
  session.receiveText?.(JSON.stringify({ type: "quiesced", quiesce: id }));
  assertEquals([said.splice(0), scope.state.phase], [["taken"], "quiesced"]);
  await scope.unquiesce("over");
  assertEquals(said.splice(0), [{ type: "unquiesce", quiesce: id }]);
});

Deno.test("SysgenidSession that is cut comes back with a token of its own choice, and leaves no ghost", async () => {
  const { world, scope } = await bench();
  const watch = { name: "a", track: true, token: TOKEN, keepsToken: true } as const;
  const [killed, next] = [world.processes.start(), world.processes.start()];
  const first = await scope.watchers.watch({ ...watch, process: killed });
  const cut = connection(scope, first.watcher);
  await cut.session.end();
  world.processes.kill(killed);
  const second = await scope.watchers.watch({ ...watch, process: next });
  assertEquals([second.resumed, scope.state.counts.watchers], [true, 1]);
  const { session, said } = connection(scope, second.watcher);
  // The same process over a second connection: the end of the first takes nothing along.
  const third = await scope.watchers.watch({ ...watch, process: next });
  assertEquals(said.at(-1), "taken over");
  await session.end();
  assertEquals(scope.state.watcher(third.watcher.id).presence, "connected");
  const last = connection(scope, third.watcher);
  last.session.receive(sysgenidBytes(0));
  assertEquals([last.said.at(-1), scope.state.isSettled], ["taken", true]);
});

Deno.test("SysgenidSession whose token somebody else shows goes on as the one that is superseded", async () => {
  const { scope } = await bench();
  const watch = { name: "a", track: true, token: TOKEN, keepsToken: true } as const;
  const first = await scope.watchers.watch(watch);
  const original = connection(scope, first.watcher);
  original.session.receive(sysgenidBytes(0));
  await scope.watchers.watch(watch);
  await scope.bump({ ...restore, force: true });
  assertEquals(scope.state.counts.outdated, 2);
  original.session.receive(sysgenidBytes(1));
  assertEquals([original.said.at(-1), scope.state.counts.outdated], ["taken", 1]);
});
