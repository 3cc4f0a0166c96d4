import { assert, assertEquals } from "@std/assert";
import { scopeRoutes } from "../../../routes/generations/scopes.ts";
import { Api } from "../../support/api.ts";
import { ScopesBench } from "../../support/scopes.ts";

const SCOPE = "/v1/scopes/vm-7";
const W = `${SCOPE}/watchers/app`;
const BUMP = { json: { reason: "clone" } };
const HEADER = "innkeeper-watcher-token";

async function bench() {
  const world = new ScopesBench();
  const scopes = await world.withScope("vm-7");
  const api = Api.of(scopeRoutes(scopes, new AbortController().signal));
  const shown = (token: string, json: unknown) => ({ json, headers: { [HEADER]: token } });
  /** Confirms with a token, and gives the next one. */
  const ack = async (token: string, generation: number, path = W): Promise<string> => {
    const answer = await api.send("PUT", `${path}/ack`, shown(token, { generation }));
    assertEquals(answer.status, 204, await answer.text());
    return answer.headers.get(HEADER) as string;
  };
  return { world, scopes, scope: scopes.get("vm-7"), api, ack, shown };
}

Deno.test("two clones that share a watcher id over HTTP cannot confirm for each other", async () => {
  const { api, ack, shown, scope } = await bench();
  const { token } = await api.json(201, "PUT", W, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const next = await ack(token, 1);
  assert(next !== token);
  // The other has the token of the snapshot, and the same id.
  for (
    const [path, json] of [["ack", { generation: 1 }], ["failure", {
      ...{ generation: 1, reason: "x" },
    }]] as const
  ) {
    await api.refused("watcher-token-spent", "PUT", `${W}/${path}`, shown(token, json));
    await api.refused("watcher-token-spent", "PUT", `${W}/${path}`, { json });
  }
  await api.refused("watcher-token-spent", "GET", `${W}/generation`);
  const own = await api.json(201, "PUT", W, { json: { track: true, token, epoch: "0" } });
  assertEquals([own.watcher === "app", own.name, own.outdated], [false, "app", true]);
  assertEquals(scope.state.isSettled, false);
  await ack(own.token, 1, `${SCOPE}/watchers/${own.watcher}`);
  assertEquals(scope.state.isSettled, true);
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  assertEquals(scope.state.counts.outdated, 2);
  await ack(next, 2);
  assertEquals(scope.state.counts.outdated, 1);
});

Deno.test("a watcher over HTTP that has never shown a token is called by its id", async () => {
  const { api, scope } = await bench();
  await api.json(201, "PUT", W, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  assertEquals((await api.json(200, "PUT", W, { json: { track: true } })).token, undefined);
  await api.json(204, "PUT", `${W}/ack`, { json: { generation: 1 } });
  assertEquals(scope.state.isSettled, true);
});

Deno.test("a refused confirmation spends no token", async () => {
  const { api, ack, shown } = await bench();
  const { token } = await api.json(201, "PUT", W, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  await api.refused("stale-generation", "PUT", `${W}/ack`, shown(token, { generation: 7 }));
  await ack(token, 1);
});

Deno.test("a watcher over HTTP that comes back with its token leaves whoever may live in the barrier", async () => {
  const { api, scope, ack } = await bench();
  const { token } = await api.json(201, "PUT", W, { json: { track: true, leaseMs: 5_000 } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const back = await api.json(200, "PUT", W, { json: { track: true, token, epoch: "0" } });
  assertEquals([back.watcher, back.outdated], ["app", true]);
  await ack(back.token, 1);
  const { items } = await api.json(200, "GET", `${SCOPE}/watchers?outdated=true`);
  assertEquals(items.length, 1);
  assertEquals([items[0].presence, items[0].supersededBy], ["superseded", "app"]);
  const late = await api.refused("watchers-outdated", "GET", `${SCOPE}/barrier`);
  assertEquals((late as { watchers: { presence: string }[] }).watchers[0]?.presence, "superseded");
  await api.json(204, "DELETE", `${SCOPE}/watchers/${items[0].watcher}`);
  assertEquals(scope.state.isSettled, true);
});

Deno.test("a process that comes back over HTTP leaves nobody behind, also when the answer with its token was lost", async () => {
  const { api, world, scope, ack } = await bench();
  const process = world.processes.start();
  const body = { track: true, process };
  const { token } = await api.json(201, "PUT", W, { json: body });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  await ack(token, 1); // and this answer is lost
  const back = await api.json(200, "PUT", W, { json: { ...body, token, epoch: "1" } });
  assertEquals([back.outdated, scope.state.counts.watchers], [false, 1]);
});

Deno.test("tokens of watchers over HTTP survive a restart", async () => {
  const { api, ack, scopes, world } = await bench();
  const { token } = await api.json(201, "PUT", W, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const next = await ack(token, 1);
  await scopes.close();
  const again = Api.of(scopeRoutes(await world.open(), new AbortController().signal));
  await again.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const json = { generation: 2 };
  const spent = { json, headers: { [HEADER]: token } };
  await again.refused("watcher-token-spent", "PUT", `${W}/ack`, spent);
  await again.refused("watcher-token-spent", "PUT", `${W}/ack`, { json });
  await again.json(204, "PUT", `${W}/ack`, { json, headers: { [HEADER]: next } });
});

Deno.test("PUT …/quiesced carries the id of the quiesce, or why the watcher cannot", async () => {
  const { api } = await bench();
  await api.json(200, "PUT", SCOPE, { json: { requireQuiesce: true } });
  await api.json(201, "PUT", W, { json: { track: true } });
  const request = { json: { reason: "snapshot" } };
  const first = await api.json(202, "POST", `${SCOPE}/quiesce`, request);
  const second = await api.json(202, "POST", `${SCOPE}/quiesce`, request);
  assert(first.quiesce !== second.quiesce);
  assertEquals((await api.json(200, "GET", SCOPE)).quiesce.quiesce, second.quiesce);
  const late = { json: { quiesce: first.quiesce } };
  await api.refused("not-quiescing", "PUT", `${W}/quiesced`, late);
  const cannot = { json: { quiesce: second.quiesce, cannot: "no hook" } };
  await api.json(204, "PUT", `${W}/quiesced`, cannot);
  const refused = await api.refused("not-quiesced", "POST", `${SCOPE}/bumps`, BUMP) as {
    watchers: { name: string; cannotQuiesce: string }[];
  };
  assertEquals(refused.watchers.map(({ cannotQuiesce }) => cannotQuiesce), ["no hook"]);
  await api.refused("not-quiesced", "GET", `${SCOPE}/quiesce`, { headers: { prefer: "wait=30" } });
  assertEquals((await api.json(200, "GET", W)).cannotQuiesce, "no hook");
  await api.json(204, "PUT", `${W}/quiesced`, { json: { quiesce: second.quiesce } });
  await api.json(204, "GET", `${SCOPE}/quiesce`);
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
});

Deno.test("PUT /v1/scopes/{s} takes forgetLostMs only where lost watchers do not block", async () => {
  const { api } = await bench();
  await api.refused("value-not-allowed", "PUT", SCOPE, { json: { forgetLostMs: 5_000 } });
  await api.refused("malformed-request", "PUT", SCOPE, {
    json: { forgetLostMs: "5", onLost: "open" },
  });
  const scope = await api.json(200, "PUT", SCOPE, {
    json: { forgetLostMs: 5_000, onLost: "open" },
  });
  assertEquals(scope.forgetLostMs, 5_000);
});
