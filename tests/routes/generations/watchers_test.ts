import { assert, assertEquals } from "@std/assert";
import type { Scopes } from "../../../src/generations/scopes.ts";
import { scopeRoutes } from "../../../routes/generations/scopes.ts";
import { Principal } from "../../../src/access/tokens.ts";
import { Api } from "../../support/api.ts";
import { ScopesBench } from "../../support/scopes.ts";

const SCOPE = "/v1/scopes/vm-7";
const W = `${SCOPE}/watchers/cron`;
const BUMP = { json: { reason: "restore" } };
const OCTETS = { "content-type": "application/octet-stream" };

async function bench(): Promise<{ api: Api; scopes: Scopes; world: ScopesBench }> {
  const world = new ScopesBench();
  const scopes = await world.withScope("vm-7");
  return { api: Api.of(scopeRoutes(scopes, new AbortController().signal)), scopes, world };
}

Deno.test("PUT …/watchers/{w} registers, then changes; DELETE releases", async () => {
  const { api } = await bench();
  const made = await api.json(201, "PUT", W, { json: { track: true, leaseMs: 5000 } });
  assertEquals([made.watcher, made.name, made.leaseMs, made.outdated], [
    "cron",
    "cron",
    5000,
    false,
  ]);
  const changed = await api.json(200, "PUT", W, { json: { track: false } });
  assertEquals([changed.tracked, changed.leaseMs], [false, 5000]);
  assertEquals((await api.json(200, "GET", W)).presence, "connected");
  await api.json(204, "DELETE", W);
  await api.refused("watcher-not-found", "GET", W);
});

Deno.test("GET …/watchers/{w}/generation is the driver's read, in JSON and in 4 bytes (cases 4, 5)", async () => {
  const { api } = await bench();
  await api.json(201, "PUT", W, { json: { track: true } });
  assertEquals((await api.send("GET", `${W}/generation`)).status, 204);
  await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "x", minimum: 0x01020304 } });
  for (let n = 0; n < 3; n++) {
    assertEquals((await api.json(200, "GET", `${W}/generation`)).generation, 0x01020304);
  }
  const raw = await api.send("GET", `${W}/generation`, {
    headers: { accept: "application/octet-stream" },
  });
  assertEquals([...new Uint8Array(await raw.arrayBuffer())], [4, 3, 2, 1]);
});

Deno.test("PUT …/ack is the driver's write: the exact value, 4 bytes or JSON (cases 7, 8)", async () => {
  const { api, scopes } = await bench();
  await api.json(201, "PUT", W, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const path = `${W}/ack`;
  await api.refused("stale-generation", "PUT", path, { json: { generation: 0 } });
  await api.refused("stale-generation", "PUT", path, { json: { generation: 2 } });
  await api.refused("stale-generation", "PUT", path, { json: { generation: 1, epoch: "9" } });
  for (const length of [0, 3, 5]) {
    const body = new Uint8Array(length);
    const problem = await api.refused("wrong-length", "PUT", path, { body, headers: OCTETS });
    assertEquals((problem as { errno: string }).errno, "ENOBUFS");
  }
  await api.refused("malformed-request", "PUT", path, { json: { generation: "1" } });
  await api.refused("malformed-request", "PUT", path, { json: {} });
  await api.refused("malformed-request", "PUT", path);
  await api.refused("wrong-media-type", "PUT", path, {
    body: "1",
    headers: { "content-type": "text/plain" },
  });
  await api.refused("value-not-allowed", "PUT", path, { json: { generation: 2 ** 32 } });
  assertEquals(scopes.get("vm-7").state.counts.outdated, 1);
  const bytes = new Uint8Array(Uint32Array.of(1).buffer);
  await api.json(204, "PUT", path, { body: bytes, headers: OCTETS });
  await api.json(204, "PUT", path, { json: { generation: 1, epoch: "1" } });
  assertEquals(scopes.get("vm-7").state.counts.outdated, 0);
});

Deno.test("PUT …/failure is named by the barrier; …/quiesced needs a quiesce", async () => {
  const { api } = await bench();
  await api.json(201, "PUT", W, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  await api.json(204, "PUT", `${W}/failure`, { json: { generation: 1, reason: "no entropy" } });
  const problem = await api.refused("watchers-failed", "GET", `${SCOPE}/barrier`, {
    headers: { prefer: "wait=30" },
  }) as { watchers: { reason: string }[] };
  assertEquals(problem.watchers[0]?.reason, "no entropy");
  assertEquals((await api.json(200, "GET", W)).failure, "no entropy");
  await api.refused("not-quiescing", "PUT", `${W}/quiesced`);
  await api.refused("malformed-request", "PUT", `${W}/failure`, { json: { generation: 1 } });
});

Deno.test("…/quiesce: asked, waited for, followed, bumped", async () => {
  const { api } = await bench();
  await api.json(200, "PUT", SCOPE, { json: { requireQuiesce: true } });
  await api.json(201, "PUT", W, { json: { track: true } });
  await api.refused("not-quiesced", "POST", `${SCOPE}/bumps`, BUMP);
  await api.refused("not-quiescing", "GET", `${SCOPE}/quiesce`);
  const quiesce = await api.json(202, "POST", `${SCOPE}/quiesce`, { json: { reason: "snapshot" } });
  assertEquals([quiesce.phase, quiesce.maxMs], ["quiescing", 30_000]);
  await api.refused("not-quiesced", "GET", `${SCOPE}/quiesce`);
  await api.json(204, "PUT", `${W}/quiesced`);
  await api.json(204, "GET", `${SCOPE}/quiesce`, { headers: { prefer: "wait=1" } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  await api.json(202, "POST", `${SCOPE}/quiesce`, { json: { reason: "again", maxMs: 50 } });
  await api.json(204, "DELETE", `${SCOPE}/quiesce`);
  await api.json(204, "DELETE", `${SCOPE}/quiesce`);
  for (const json of [{ reason: "x", maxMs: 0 }, { reason: "x", maxMs: 1e9 }]) {
    await api.refused("value-not-allowed", "POST", `${SCOPE}/quiesce`, { json });
  }
});

Deno.test("GET …/barrier lets lost watchers pass where the scope says so, with 200 and their names", async () => {
  const { api, world } = await bench();
  await api.json(200, "PUT", SCOPE, { json: { onLost: "open" } });
  await api.json(201, "PUT", W, { json: { track: true, leaseMs: 100 } });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  world.clock.advance(100);
  const open = await api.json(200, "GET", `${SCOPE}/barrier`);
  assertEquals([open.generation, open.lost[0].name], [1, "cron"]);
  await api.json(200, "PUT", SCOPE, { json: { onLost: "block" } });
  await api.refused("watchers-lost", "GET", `${SCOPE}/barrier`);
});

Deno.test("GET …/generation is a long poll by ETag", async () => {
  const { api, world } = await bench();
  const first = await api.send("GET", `${SCOPE}/generation`);
  const etag = first.headers.get("etag") as string;
  await first.body?.cancel();
  const again = await api.send("GET", `${SCOPE}/generation`, {
    headers: { "if-none-match": etag },
  });
  assertEquals([again.status, again.headers.get("etag")], [304, etag]);
  const headers = { "if-none-match": etag, prefer: "wait=30" };
  const waiting = api.send("GET", `${SCOPE}/generation`, { headers });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const changed = await waiting;
  assertEquals([changed.status, (await changed.json()).generation], [200, 1]);
  const timedOut = api.send("GET", `${SCOPE}/generation`, {
    headers: { "if-none-match": '"1"', prefer: "wait=2" },
  });
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  world.clock.advance(2000);
  assertEquals((await timedOut).status, 304);
});

Deno.test("GET …/history shows the last bumps, newest first", async () => {
  const { api } = await bench();
  for (const reason of ["one", "two"]) {
    await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason } });
  }
  const { items } = await api.json(200, "GET", `${SCOPE}/history`);
  assertEquals(items.map(({ reason, by }: Record<string, string>) => [reason, by]), [
    ["two", "test"],
    ["one", "test"],
  ]);
  assert(items[0].tookMs >= 0);
});

Deno.test("POST …/bumps with an Idempotency-Key bumps once (case 31)", async () => {
  const { api, scopes } = await bench();
  const key = { "idempotency-key": "op-1" };
  const request = { ...BUMP, headers: key };
  const [one, two] = await Promise.all([
    api.json(201, "POST", `${SCOPE}/bumps`, request),
    api.json(201, "POST", `${SCOPE}/bumps`, request),
  ]);
  assertEquals([one, scopes.get("vm-7").state.epoch], [two, 1n]);
  assertEquals(await api.json(201, "POST", `${SCOPE}/bumps`, request), one);
  const other = { json: { reason: "another" }, headers: key };
  await api.refused("key-reused", "POST", `${SCOPE}/bumps`, other);
  await api.json(201, "POST", `${SCOPE}/bumps`, {
    ...BUMP,
    headers: { "idempotency-key": "op-2" },
  });
  assertEquals(scopes.get("vm-7").state.epoch, 2n);
  const refused = { json: { reason: "" }, headers: { "idempotency-key": "op-3" } };
  for (let n = 0; n < 2; n++) {
    await api.refused("value-not-allowed", "POST", `${SCOPE}/bumps`, refused);
  }
  await api.refused("value-not-allowed", "POST", `${SCOPE}/bumps`, {
    ...BUMP,
    headers: { "idempotency-key": "a b" },
  });
});

Deno.test("GET …/watchers?tracked=&outdated= lists who is late, since when, and when it was told", async () => {
  const { api, scopes } = await bench();
  const { watchers } = scopes.get("vm-7");
  await watchers.watch({ name: "late", track: true });
  const done = await watchers.watch({ name: "done", track: true });
  await watchers.watch({ name: "other", track: false });
  await scopes.get("vm-7").bump({ reason: "restore", by: "test" });
  watchers.notified(done.watcher.id);
  watchers.ack(done.watcher.id, 1);
  const list = async (query: string) =>
    (await api.json(200, "GET", `/v1/scopes/vm-7/watchers?${query}`)).items;
  const [late, ...others] = await list("tracked=true&outdated=true");
  assertEquals([late.name, others, late.toldAt, late.quiesced], ["late", [], undefined, false]);
  assertEquals(Date.parse(late.outdatedSince) >= Date.parse(late.presenceSince), true);
  const [settled] = await list("tracked=true&outdated=false");
  assertEquals([settled.name, settled.outdatedSince], ["done", undefined]);
  assertEquals(settled.toldAt, settled.ackedAt);
  assertEquals((await list("tracked=false")).map(({ name }: { name: string }) => name), ["other"]);
  assertEquals((await list("")).length, 3);
  await api.refused("value-not-allowed", "GET", "/v1/scopes/vm-7/watchers?tracked=yes");
});

Deno.test("another principal's watcher is neither confirmed, failed, read, quiesced, changed nor released", async () => {
  const { api, scopes } = await bench();
  const as = (name: string, ...grants: string[]) =>
    ({ listener: { kind: "unix", principal: new Principal(name, grants) } }) as const;
  const [mine, theirs] = [as("a", "watch"), as("b", "watch", "read", "bump", "write")];
  await api.json(201, "PUT", W, { json: { track: true }, ...mine });
  await api.json(201, "POST", `${SCOPE}/bumps`, BUMP);
  const generation = { generation: 1 };
  for (
    const [method, path, json] of [
      ["GET", `${W}/generation`, undefined],
      ["PUT", `${W}/ack`, generation],
      ["PUT", `${W}/failure`, { ...generation, reason: "x" }],
      ["PUT", `${W}/quiesced`, undefined],
      ["PUT", W, { track: false }],
      ["DELETE", W, undefined],
    ] as const
  ) await api.refused("watcher-not-owned", method, path, { json, ...theirs });
  assertEquals(scopes.get("vm-7").state.counts.outdated, 1, "the barrier is shut");
  assertEquals((await api.json(200, "GET", W)).owner, "a");
  await api.json(204, "PUT", `${W}/ack`, { json: generation, ...mine });
  await api.json(204, "DELETE", W, mine);
});
