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
