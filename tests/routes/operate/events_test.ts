import { assert, assertEquals } from "@std/assert";
import { Registry } from "prom-client";
import { IdempotentAnswers } from "../../../src/access/idempotency.ts";
import { Tickets } from "../../../src/access/tickets.ts";
import { admin, Tokens } from "../../../src/access/tokens.ts";
import { EventLog } from "../../../src/core/event_log.ts";
import { Scopes } from "../../../src/generations/scopes.ts";
import { scopeRoutes } from "../../../routes/generations/scopes.ts";
import { createApp } from "../../../routes/http/app.ts";
import { eventRoutes } from "../../../routes/operate/events.ts";
import { Api } from "../../support/api.ts";
import { ScopesBench } from "../../support/scopes.ts";

const PAGE = { headers: { accept: "application/json" } };
const { signal } = new AbortController();

/** Routes of scopes and of the events that they cause, as in a daemon. */
async function bench(): Promise<{ api: Api; events: EventLog }> {
  const { ledger, pages, clock, random, processes } = new ScopesBench();
  const events = await EventLog.open({ ledger, clock });
  const scopes = await Scopes.open({ ledger, pages, clock, random, processes, events });
  const app = createApp({
    version: "0.0.0-test",
    tokens: new Tokens([{ token: "narrow", permissions: ["read:vm-7"] }]),
    tickets: new Tickets(clock, random),
    answers: new IdempotentAnswers(clock),
    allowedHosts: [],
    metrics: new Registry(),
    lastSeq: () => events.lastSeq,
    open: [],
    guarded: [scopeRoutes(scopes, signal), eventRoutes(events, signal, () => true)],
  });
  return { api: new Api(app), events };
}

const kindsOf = ({ items }: { items: { kind: string; subject: string }[] }): string[] =>
  items.map(({ kind, subject }) => `${kind} ${subject}`);

Deno.test("GET /v1/events?scope= shows what happened to these scopes and their watchers", async () => {
  const { api, events } = await bench();
  for (const name of ["vm-7", "vm-8", "vm-9"]) {
    await api.json(201, "PUT", `/v1/scopes/${name}`, { json: {} });
  }
  await api.json(201, "PUT", "/v1/scopes/vm-8/watchers/app", { json: { track: true } });
  // A guest may have the name of a scope.
  events.emit({ kind: "guest.created", subject: "vm-8", data: {} });
  const one = await api.json(200, "GET", "/v1/events?scope=vm-8", PAGE);
  assertEquals(kindsOf(one), ["scope.created vm-8", "watcher.joined vm-8"]);
  assertEquals(one.through, events.lastSeq);
  const two = await api.json(200, "GET", "/v1/events?scope=vm-8,vm-9&limit=2", PAGE);
  assertEquals(kindsOf(two), ["scope.created vm-8", "scope.created vm-9"]);
  const rest = await api.json(
    200,
    "GET",
    `/v1/events?scope=vm-8,vm-9&after=${two.items.at(-1).seq}`,
    PAGE,
  );
  assertEquals(kindsOf(rest), ["watcher.joined vm-8"]);
  const all = await api.json(200, "GET", "/v1/events", PAGE);
  assert(kindsOf(all).includes("guest.created vm-8"));
  for (const scope of ["", "UP", "a,,b", "a,*"]) {
    await api.refused("bad-name", "GET", `/v1/events?scope=${scope}`, PAGE);
  }
  const many = Array.from({ length: 101 }, (_, n) => `s${n}`).join(",");
  await api.refused("value-not-allowed", "GET", `/v1/events?scope=${many}`, PAGE);
});

Deno.test("GET /v1/events shows whoever may read some scopes only those, by name", async () => {
  const { api } = await bench();
  await api.json(201, "PUT", "/v1/scopes/vm-7", { json: {} });
  const headers = { ...PAGE.headers, authorization: "Bearer narrow" };
  const narrow = { headers, listener: { kind: "tcp" } } as const;
  const { items } = await api.json(200, "GET", "/v1/events?scope=vm-7", narrow);
  assertEquals(items.length, 1);
  await api.json(201, "PUT", "/v1/scopes/vm-8", { json: {} });
  for (const [query, count] of [["", 1], ["?scope=vm-8", 0], ["?scope=vm-7,vm-8", 1]] as const) {
    const { items } = await api.json(200, "GET", `/v1/events${query}`, narrow);
    assertEquals([query, items.length], [query, count]);
  }
});

Deno.test("GET /v1/events as a stream tells proxies not to hold it back", async () => {
  const { api } = await bench();
  const listener = { kind: "unix", principal: admin("test") } as const;
  const response = await api.app.request("/v1/events?scope=vm-7", {}, { listener });
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  assertEquals(response.headers.get("x-accel-buffering"), "no");
  await response.body?.cancel();
});

Deno.test("a list says from where on to follow, and whoever does so misses nothing", async () => {
  const { api } = await bench();
  for (const name of ["vm-1", "vm-2", "vm-3"]) {
    await api.json(201, "PUT", `/v1/scopes/${name}`, { json: {} });
  }
  const known = new Set<string>();
  let after: number | undefined;
  for (let cursor = "&cursor=-"; cursor !== "";) {
    const path = `/v1/scopes?limit=2${cursor === "&cursor=-" ? "" : cursor}`;
    const { items, next, seq } = await api.json(200, "GET", path);
    for (const { name } of items) known.add(name);
    after ??= seq;
    cursor = next === undefined ? "" : `&cursor=${next}`;
    // The list changes while it is read.
    if (known.size === 2) {
      await api.json(201, "PUT", "/v1/scopes/aa-early", { json: {} });
      await api.json(204, "DELETE", "/v1/scopes/vm-1");
    }
  }
  const { items } = await api.json(200, "GET", `/v1/events?after=${after}`, PAGE);
  for (const { kind, subject } of items) {
    if (kind === "scope.created") known.add(subject);
    if (kind === "scope.deleted") known.delete(subject);
  }
  const now = await api.json(200, "GET", "/v1/scopes");
  assertEquals([...known].sort(), now.items.map(({ name }: { name: string }) => name));
  assertEquals(known.has("vm-1"), false);
  const watchers = await api.json(200, "GET", "/v1/scopes/vm-2/watchers");
  assertEquals(watchers.seq, now.seq);
});
