import { assert, assertEquals } from "@std/assert";
import { Principal } from "../../../src/access/tokens.ts";
import type { Scopes } from "../../../src/generations/scopes.ts";
import { scopeRoutes } from "../../../routes/generations/scopes.ts";
import { Api } from "../../support/api.ts";
import { ScopesBench } from "../../support/scopes.ts";

const BUMPS = "/v1/scopes/vm-7/bumps";
const BARRIER = "/v1/scopes/vm-7/barrier";

async function bench(): Promise<{ api: Api; scopes: Scopes; stop: AbortController }> {
  const scopes = await new ScopesBench().withScope("vm-7");
  const stop = new AbortController();
  return { api: Api.of(scopeRoutes(scopes, stop.signal)), scopes, stop };
}

const as = (
  ...access: ConstructorParameters<typeof Principal>[1] extends Iterable<infer One> ? One[] : never
) => ({
  listener: { kind: "unix", principal: new Principal("test", access) } as const,
});

Deno.test("PUT /v1/scopes/{s} makes a scope, then replaces its options", async () => {
  const { api } = await bench();
  const made = await api.json(201, "PUT", "/v1/scopes/vm-8", { json: { trackOnOpen: true } });
  assertEquals([made.generation, made.trackOnOpen, made.onDisconnect], [0, true, "hold"]);
  const again = await api.json(200, "PUT", "/v1/scopes/vm-8", { json: {} });
  assertEquals(again.trackOnOpen, false);
});

Deno.test("GET /v1/scopes pages through the scopes by name", async () => {
  const { api } = await bench();
  for (const name of ["a", "b", "c"]) {
    await api.json(201, "PUT", `/v1/scopes/${name}`, { json: {} });
  }
  const first = await api.json(200, "GET", "/v1/scopes?limit=2");
  assertEquals(first.items.map(({ name }: { name: string }) => name), ["a", "b"]);
  const rest = await api.json(200, "GET", `/v1/scopes?limit=9&cursor=${first.next}`);
  assertEquals(rest.items.map(({ name }: { name: string }) => name), ["c", "system", "vm-7"]);
  assertEquals(rest.next, undefined);
});

Deno.test("POST …/bumps answers with the new generation and how many are outdated", async () => {
  const { api, scopes } = await bench();
  await scopes.get("vm-7").watchers.watch({ name: "a", track: true });
  const bump = await api.json(201, "POST", BUMPS, { json: { reason: "restore", minimum: 8 } });
  assertEquals([bump.generation, bump.epoch, bump.outdated], [8, "1", 1]);
  assertEquals(bump.unique.length, 32);
  const shown = await api.json(200, "GET", "/v1/scopes/vm-7");
  assertEquals([shown.phase, shown.settledGeneration, shown.reason], ["settling", 0, "restore"]);
});

Deno.test("POST …/bumps without the right to is EACCES and changes nothing (case 3)", async () => {
  const { api, scopes } = await bench();
  const request = { json: { reason: "x" }, ...as("read", "watch", "write") };
  const problem = await api.refused("bump-not-permitted", "POST", BUMPS, request) as {
    errno: string;
  };
  assertEquals([problem.errno, scopes.get("vm-7").state.epoch], ["EACCES", 0n]);
  await api.json(201, "POST", BUMPS, { json: { reason: "x" }, ...as("bump") });
});

for (
  const [json, code] of [
    [{ reason: "x", minimum: -1 }, "minimum-out-of-range"],
    [{ reason: "x", minimum: 1.5 }, "malformed-request"],
    [{ reason: "x", minimum: 2 ** 32 }, "minimum-out-of-range"],
    [{ reason: "x", minimum: 2 ** 64 }, "minimum-out-of-range"],
    [{ reason: "x", minimum: "8" }, "malformed-request"],
    [{ reason: "x", unknown: 1 }, "malformed-request"],
    [{ reason: 7 }, "malformed-request"],
    [{ reason: "" }, "value-not-allowed"],
    [{ reason: "x".repeat(300) }, "value-not-allowed"],
    [{}, "malformed-request"],
    [[], "malformed-request"],
    [null, "malformed-request"],
  ] as const
) {
  Deno.test(`POST …/bumps refuses ${JSON.stringify(json).slice(0, 60)} as ${code} (case 2)`, async () => {
    const { api, scopes } = await bench();
    await api.refused(code, "POST", BUMPS, { json });
    assertEquals(scopes.get("vm-7").state.epoch, 0n);
  });
}

Deno.test("routes of scopes refuse bodies that are no JSON, of another type, empty or too large", async () => {
  const { api } = await bench();
  const send = (body: string, type = "application/json") => ({
    body,
    headers: { "content-type": type },
  });
  await api.refused("malformed-request", "POST", BUMPS, send("{"));
  await api.refused("malformed-request", "POST", BUMPS, send(""));
  await api.refused("wrong-media-type", "POST", BUMPS, send("{}", "text/plain"));
  await api.refused("wrong-media-type", "PUT", "/v1/scopes/a", send("{}", "text/plain"));
  const large = JSON.stringify({ reason: "x".repeat(10 * 1024 * 1024) });
  await api.refused("body-too-large", "POST", BUMPS, send(large));
});

Deno.test("routes of scopes refuse names that are not allowed, also when they are encoded", async () => {
  const { api } = await bench();
  for (const name of ["Vm", "-a", "a%2Fb", "a%20b", "%2e%2e%2fx", "a".repeat(65)]) {
    await api.refused("bad-name", "PUT", `/v1/scopes/${name}`, { json: {} });
    await api.refused("bad-name", "GET", `/v1/scopes/${name}`);
  }
  await api.refused("scope-not-found", "GET", "/v1/scopes/nobody");
  await api.refused("scope-not-found", "POST", "/v1/scopes/nobody/bumps", {
    json: { reason: "x" },
  });
});

Deno.test("GET …/barrier answers 204 with the generation it opened for", async () => {
  const { api } = await bench();
  await api.json(201, "POST", BUMPS, { json: { reason: "x" } });
  const response = await api.send("GET", BARRIER, { headers: { prefer: "wait=1" } });
  assertEquals(response.status, 204);
  assertEquals(response.headers.get("etag"), '"1"');
  assertEquals(response.headers.get("innkeeper-generation"), "1");
  assertEquals(response.headers.get("preference-applied"), "wait=1");
});

Deno.test("GET …/barrier names who is late, and refuses to wait both ways", async () => {
  const { api, scopes } = await bench();
  const { watcher } = await scopes.get("vm-7").watchers.watch({ name: "late", track: true });
  await api.json(201, "POST", BUMPS, { json: { reason: "x" } });
  const problem = await api.refused("watchers-outdated", "GET", BARRIER) as Record<string, unknown>;
  assertEquals([problem["errno"], problem["outdated"]], ["ETIME", 1]);
  assertEquals((problem["watchers"] as { name: string }[])[0]?.name, "late");
  await api.refused("caller-outdated", "GET", `${BARRIER}?watcher=${watcher.id}`);
  await api.refused("generation-changed", "GET", `${BARRIER}?generation=0`);
  await api.refused("generation-changed", "GET", `${BARRIER}?epoch=7`);
  await api.refused("watcher-not-found", "GET", `${BARRIER}?watcher=nobody`);
  const both = { headers: { prefer: "wait=1" } };
  await api.refused("malformed-request", "GET", `${BARRIER}?timeoutMs=5`, both);
  await api.refused("malformed-request", "GET", `${BARRIER}?unknown=5`);
  await api.refused("value-not-allowed", "GET", `${BARRIER}?timeoutMs=-1`);
  await api.refused("value-not-allowed", "GET", `${BARRIER}?generation=4294967296`);
  await api.refused("value-not-allowed", "GET", `${BARRIER}?epoch=18446744073709551616`);
});

Deno.test("GET …/barrier is answered when the daemon stops", async () => {
  const { api, scopes, stop } = await bench();
  await scopes.get("vm-7").watchers.watch({ name: "late", track: true });
  await api.json(201, "POST", BUMPS, { json: { reason: "x" } });
  const waiting = api.refused("shutting-down", "GET", `${BARRIER}?timeoutMs=0`);
  stop.abort();
  await waiting;
});

Deno.test("DELETE …/watchers/{w} releases a watcher; DELETE of a scope in use wants force and admin", async () => {
  const { api, scopes } = await bench();
  const { watcher } = await scopes.get("vm-7").watchers.watch({ name: "a", track: true });
  const shown = await api.json(200, "GET", "/v1/scopes/vm-7/watchers");
  assertEquals(shown.items[0].watcher, watcher.id);
  await api.refused("scope-in-use", "DELETE", "/v1/scopes/vm-7");
  await api.refused("not-permitted", "DELETE", "/v1/scopes/vm-7?force=true", as("write"));
  await api.json(204, "DELETE", `/v1/scopes/vm-7/watchers/${watcher.id}`);
  await api.refused("watcher-not-found", "DELETE", `/v1/scopes/vm-7/watchers/${watcher.id}`);
  await api.json(204, "DELETE", "/v1/scopes/vm-7");
  await api.refused("scope-in-use", "DELETE", "/v1/scopes/system?force=true");
});

Deno.test("GET …/page gives the bytes, or where to find them", async () => {
  const { api } = await bench();
  await api.json(201, "POST", BUMPS, { json: { reason: "x", minimum: 0x01020304 } });
  const bytes = new Uint8Array(await (await api.send("GET", "/v1/scopes/vm-7/page")).arrayBuffer());
  assertEquals([bytes.byteLength, new Uint32Array(bytes.buffer)[0]], [4096, 0x01020304]);
  const place = await api.json(200, "GET", "/v1/scopes/vm-7/page", {
    headers: { accept: "application/json" },
  });
  assert(place.bindMount.includes(place.path));
});

Deno.test("GET /v1/scopes?phase= lists only scopes in these phases, and what blocks them", async () => {
  const { api, scopes } = await bench();
  await api.json(201, "PUT", "/v1/scopes/vm-8", { json: {} });
  const { watcher } = await scopes.get("vm-7").watchers.watch({ name: "a", track: true });
  await api.json(201, "POST", BUMPS, { json: { reason: "restore" } });
  scopes.get("vm-7").watchers.fail(watcher.id, 1, "no entropy");
  await api.json(202, "POST", "/v1/scopes/vm-8/quiesce", { json: { reason: "snapshot" } });
  const names = async (query: string): Promise<string[]> =>
    (await api.json(200, "GET", `/v1/scopes?${query}`)).items
      .map(({ name }: { name: string }) => name);
  assertEquals(await names("phase=settling"), ["vm-7"]);
  assertEquals(await names("phase=settling,quiescing,quiesced"), ["vm-7", "vm-8"]);
  assertEquals(await names("phase=running"), ["system"]);
  await api.refused("value-not-allowed", "GET", "/v1/scopes?phase=lost");
  const shown = await api.json(200, "GET", "/v1/scopes/vm-7");
  assertEquals([shown.failed, shown.held, shown.lost], [1, 0, 0]);
  const { quiesce } = await api.json(200, "GET", "/v1/scopes/vm-8");
  assertEquals([quiesce.reason, quiesce.maxMs, quiesce.waiting], ["snapshot", 30_000, 0]);
});
