import { assertEquals } from "@std/assert";
import { scopeRoutes } from "../../../routes/generations/scopes.ts";
import { Api } from "../../support/api.ts";
import { ScopesBench } from "../../support/scopes.ts";

const SCOPE = "/v1/scopes/vm-7";
const JSON_ANSWER = { headers: { accept: "application/json" } };

async function bench(stopping = new AbortController().signal): Promise<Api> {
  const scopes = await new ScopesBench().withScope("vm-7");
  return Api.of(scopeRoutes(scopes, stopping));
}

async function confirm(api: Api, watcher: string, generation: number): Promise<void> {
  await api.json(204, "PUT", `${SCOPE}/watchers/${watcher}/ack`, { json: { generation } });
}

Deno.test("GET …/barrier stays shut for an expected name until it has confirmed, and gives evidence", async () => {
  const api = await bench();
  const scope = await api.json(200, "PUT", SCOPE, {
    json: { expect: ["app", "db-*"], atLeast: 1 },
  });
  assertEquals([scope.expect, scope.atLeast, scope.unmet], [["app", "db-*"], 1, ["app", "db-*"]]);
  await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "clone" } });
  const refused = await api.refused("expectations-unmet", "GET", `${SCOPE}/barrier`);
  assertEquals((refused as unknown as { expected: string[] }).expected, ["app", "db-*"]);
  await api.json(201, "PUT", `${SCOPE}/watchers/app`, { json: { track: true } });
  await api.json(201, "PUT", `${SCOPE}/watchers/db-1`, { json: { track: false } });
  await api.refused("expectations-unmet", "GET", `${SCOPE}/barrier`);
  await confirm(api, "app", 1);
  await confirm(api, "db-1", 1);
  await api.json(204, "GET", `${SCOPE}/barrier`);
  const open = await api.json(200, "GET", `${SCOPE}/barrier`, JSON_ANSWER);
  assertEquals(
    [open.generation, open.confirmedCount, open.lost, open.left, open.expect],
    [1, 2, [], [], ["app", "db-*"]],
  );
  assertEquals(open.confirmed.map(({ name }: { name: string }) => name), ["app", "db-1"]);
  assertEquals((await api.json(200, "GET", SCOPE)).phase, "running");
});

Deno.test("GET …/barrier?atLeast= wants confirmations for one call; who left outdated is named", async () => {
  const api = await bench();
  await api.json(201, "PUT", `${SCOPE}/watchers/app`, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "clone" } });
  await api.json(204, "DELETE", `${SCOPE}/watchers/app`);
  assertEquals((await api.json(200, "GET", `${SCOPE}/barrier`, JSON_ANSWER)).left, [
    { watcher: "app", name: "app" },
  ]);
  await api.refused("expectations-unmet", "GET", `${SCOPE}/barrier?atLeast=1`);
  await api.refused("value-not-allowed", "GET", `${SCOPE}/barrier?atLeast=20001`);
});

Deno.test("PUT /v1/scopes/{s} refuses expectations that are no names, and changes nothing", async () => {
  const api = await bench();
  for (const expect of [["UP"], ["a*b"], [""], ["-*"], Array(65).fill("a"), "app", [7]]) {
    const { status } = await api.send("PUT", SCOPE, { json: { expect } });
    assertEquals([status >= 400 && status < 500, expect], [true, expect]);
  }
  assertEquals((await api.json(200, "GET", SCOPE)).expect, []);
  assertEquals((await api.json(200, "PUT", SCOPE, { json: { expect: ["*"] } })).expect, ["*"]);
});

Deno.test("a barrier and a quiesce that wait when the daemon stops answer 503, to be tried again", async () => {
  const stopping = new AbortController();
  const api = await bench(stopping.signal);
  await api.json(201, "PUT", `${SCOPE}/watchers/app`, { json: { track: true } });
  await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "restore" } });
  await api.json(202, "POST", `${SCOPE}/quiesce`, { json: { reason: "restore" } });
  const waiting = ["barrier", "quiesce"].map((what) =>
    api.refused("shutting-down", "GET", `${SCOPE}/${what}`, { headers: { prefer: "wait=60" } })
  );
  setTimeout(() => stopping.abort(), 5);
  for (const problem of await Promise.all(waiting)) {
    assertEquals((problem as { retryable: boolean }).retryable, true);
  }
});

/** Lets everything run that waits for nothing but its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("POST …/bumps with Prefer: wait answers when the barrier has opened, with the evidence", async () => {
  const api = await bench();
  await api.json(201, "PUT", `${SCOPE}/watchers/app`, { json: { track: true } });
  const headers = { prefer: "wait=10" };
  const bumped = api.send("POST", `${SCOPE}/bumps`, { json: { reason: "clone" }, headers });
  await turn();
  await confirm(api, "app", 1);
  const response = await bumped;
  const { generation, outdated, barrier } = await response.json();
  assertEquals([response.status, generation, outdated], [201, 1, 1]);
  assertEquals(response.headers.get("preference-applied"), "wait=10");
  assertEquals([barrier.confirmedCount, barrier.confirmed[0].name], [1, "app"]);
  const plain = await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "clone" } });
  assertEquals(plain.barrier, undefined);
});

Deno.test("POST …/bumps with Prefer: wait refuses while the barrier is shut, and bumps once all the same", async () => {
  const api = await bench();
  await api.json(201, "PUT", `${SCOPE}/watchers/app`, { json: { track: true } });
  const request = {
    json: { reason: "clone" },
    headers: { prefer: "wait=0", "idempotency-key": "k1" },
  };
  for (let n = 0; n < 2; n++) {
    const refused = await api.refused("watchers-outdated", "POST", `${SCOPE}/bumps`, request);
    const { bumped, retryable, watchers, detail } = refused as {
      bumped: { generation: number };
      retryable: boolean;
      watchers: unknown[];
      detail: string;
    };
    assertEquals([bumped.generation, retryable, watchers.length], [1, false, 1]);
    assertEquals(/do not bump again/.test(detail), true);
  }
  await confirm(api, "app", 1);
  const open = await api.json(201, "POST", `${SCOPE}/bumps`, request);
  assertEquals([open.generation, open.barrier.confirmedCount], [1, 1]);
});

Deno.test("POST …/bumps?atLeast= does not pass where nobody watches", async () => {
  const api = await bench();
  const request = { json: { reason: "clone" }, headers: { prefer: "wait=0" } };
  await api.json(201, "POST", `${SCOPE}/bumps`, request);
  await api.refused("expectations-unmet", "POST", `${SCOPE}/bumps?atLeast=1`, request);
});

Deno.test("GET /v1/barrier passes when all its scopes are open at one moment, and names who is not", async () => {
  const api = await bench();
  await api.json(201, "PUT", "/v1/scopes/vm-8", { json: {} });
  for (const scope of ["vm-7", "vm-8"]) {
    await api.json(201, "PUT", `/v1/scopes/${scope}/watchers/app`, { json: { track: true } });
    await api.json(201, "POST", `/v1/scopes/${scope}/bumps`, { json: { reason: "clone" } });
  }
  const both = "/v1/barrier?scope=vm-7,vm-8";
  const ack = (scope: string, generation: number) =>
    api.json(204, "PUT", `/v1/scopes/${scope}/watchers/app/ack`, { json: { generation } });
  const shut = await api.refused("watchers-outdated", "GET", both);
  assertEquals((shut as { shut: string[] }).shut, ["vm-7", "vm-8"]);
  await ack("vm-7", 1);
  const late = await api.refused("watchers-outdated", "GET", both);
  const { scope, shut: names } = late as { scope: string; shut: string[] };
  assertEquals([scope, names], ["vm-8", ["vm-8"]]);
  const waiting = api.send("GET", both, { headers: { prefer: "wait=10", ...JSON_ANSWER.headers } });
  await turn();
  await ack("vm-8", 1);
  const response = await waiting;
  const { items } = await response.json();
  assertEquals(response.status, 200);
  assertEquals(
    items.map((one: { scope: string; confirmedCount: number }) => [one.scope, one.confirmedCount]),
    [["vm-7", 1], ["vm-8", 1]],
  );
  await api.json(204, "GET", both);
  await api.refused("expectations-unmet", "GET", `${both}&atLeast=2`);
  await api.refused("scope-not-found", "GET", "/v1/barrier?scope=vm-7,none");
  await api.refused("bad-name", "GET", "/v1/barrier?scope=");
  await api.refused("malformed-request", "GET", "/v1/barrier");
});

Deno.test("GET /v1/barrier is shut again when its first scope is bumped before its last has opened", async () => {
  const api = await bench();
  await api.json(201, "PUT", "/v1/scopes/vm-8", { json: {} });
  await api.json(201, "PUT", "/v1/scopes/vm-8/watchers/app", { json: { track: true } });
  await api.json(201, "POST", "/v1/scopes/vm-8/bumps", { json: { reason: "clone" } });
  const headers = { prefer: "wait=10" };
  // vm-7 is open now, and nobody watches it.
  const waiting = api.refused("generation-changed", "GET", "/v1/barrier?scope=vm-7,vm-8", {
    headers,
  });
  await turn();
  await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "clone" } });
  assertEquals((await waiting as { scope: string }).scope, "vm-7");
});

Deno.test("long polls wake when a quiesce begins or ends, and say which one is on", async () => {
  const api = await bench();
  await api.json(201, "PUT", `${SCOPE}/watchers/app`, { json: { track: true } });
  const quiesce = { json: { reason: "snapshot", maxMs: 10_000 } };
  const headers = { prefer: "wait=10", "if-none-match": '"0"' };
  const poll = async (path: string): Promise<[number, string | null]> => {
    const response = await api.send("GET", `${SCOPE}${path}`, { headers });
    await response.body?.cancel();
    return [response.status, response.headers.get("innkeeper-quiesce")];
  };
  const polls = [poll("/generation"), poll("/watchers/app/generation")];
  await turn();
  const { quiesce: id } = await api.json(202, "POST", `${SCOPE}/quiesce`, quiesce);
  assertEquals(await Promise.all(polls), [[304, id], [204, id]]);

  // It is told once: a client that does not know of quiesces must not ask without end.
  const next = [poll("/generation"), poll("/watchers/app/generation")];
  await turn();
  await api.json(204, "DELETE", `${SCOPE}/quiesce`);
  assertEquals(await Promise.all(next), [[304, null], [204, null]]);

  // One that began between two polls is told at once, and so is whatever the caller does not know.
  const { quiesce: second } = await api.json(202, "POST", `${SCOPE}/quiesce`, quiesce);
  assertEquals(await poll("/watchers/app/generation"), [204, second]);
  assertEquals(await poll("/generation?quiesce=none"), [304, second]);
  assertEquals(await poll(`/watchers/app/generation?quiesce=${id}`), [204, second]);
  const known = poll(`/generation?quiesce=${second}`);
  await turn();
  await api.json(201, "POST", `${SCOPE}/bumps`, { json: { reason: "clone" } });
  assertEquals(await known, [200, null]);
});
