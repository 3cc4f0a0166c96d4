import { assert, assertEquals } from "@std/assert";
import { type FaultCode, FAULTS } from "../../../src/core/faults.ts";
import { Registry } from "prom-client";
import { Tokens } from "../../../src/access/tokens.ts";
import { IdempotentAnswers } from "../../../src/access/idempotency.ts";
import { Tickets } from "../../../src/access/tickets.ts";
import { createApp } from "../../../routes/http/app.ts";
import { healthRoutes } from "../../../routes/operate/health.ts";
import { metricsRoutes } from "../../../routes/operate/metrics.ts";
import { Routes } from "../../../routes/http/endpoint.ts";
import { Api } from "../../support/api.ts";
import { FakeClock } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";

const TCP = { kind: "tcp" } as const;

function api(ready = true): Api {
  const metrics = new Registry();
  const failing = new Routes();
  failing.get("/v1/failing", () => {
    throw new Error("secret detail");
  });
  return new Api(createApp({
    version: "1.2.3",
    tokens: new Tokens([
      { token: "all", permissions: ["admin"] },
      { token: "watcher", permissions: ["watch"] },
    ]),
    tickets: new Tickets(new FakeClock(), new SeededRandom(1)),
    answers: new IdempotentAnswers(new FakeClock()),
    allowedHosts: ["inn.example"],
    metrics,
    open: [healthRoutes({ version: "1.2.3", ready: () => ready })],
    guarded: [
      metricsRoutes(metrics, [["test_things", "Things", () => 7]]),
      failing,
    ],
  }));
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

Deno.test("createApp() answers the health routes without a token", async () => {
  assertEquals(await api().json(200, "GET", "/healthz", { listener: TCP }), { status: "ok" });
  assertEquals(await api().json(200, "GET", "/readyz", { listener: TCP }), { status: "ok" });
  assertEquals((await api().json(200, "GET", "/version", { listener: TCP })).version, "1.2.3");
  await api(false).refused("shutting-down", "GET", "/readyz", { listener: TCP });
});

Deno.test("createApp() asks TCP callers for a token, and unix callers for none", async () => {
  const app = api().app;
  const get = (headers: Record<string, string>, listener: typeof TCP | undefined = TCP) =>
    app.request("http://localhost/metrics", { headers }, { listener });
  const none = await get({});
  assertEquals(none.status, 401);
  assertEquals(none.headers.get("www-authenticate"), "Bearer");
  assertEquals((await none.json()).code, "token-missing");
  assertEquals((await (await get(bearer("wrong"))).json()).code, "token-unknown");
  assertEquals((await (await get(bearer("al"))).json()).code, "token-unknown");
  const denied = await get(bearer("watcher"));
  assertEquals(denied.status, 403);
  assertEquals((await denied.json()).errno, "EACCES");
  const shown = await get(bearer("all"));
  assertEquals(shown.status, 200);
  assert((await shown.text()).includes("innkeeper_test_things 7"));
});

Deno.test("createApp() refuses a foreign Host over TCP only, and a foreign Origin everywhere", async () => {
  const get = (headers: Record<string, string>) =>
    api().send("GET", "/healthz", { headers, listener: TCP });
  assertEquals((await (await get({ host: "evil.example" })).json()).code, "host-not-allowed");
  assertEquals((await get({ host: "INN.example:8787" })).status, 200);
  const foreign = await get({ host: "localhost:8787", origin: "http://evil.example" });
  assertEquals((await foreign.json()).code, "origin-not-allowed");
  const own = await get({ host: "localhost:8787", origin: "http://localhost:8787" });
  assertEquals(own.status, 200);
});

Deno.test("createApp() names the methods that a known path allows", async () => {
  const response = await api().app.request("http://localhost/healthz", { method: "DELETE" }, {
    listener: TCP,
  });
  assertEquals(response.status, 405);
  assertEquals(response.headers.get("allow"), "GET");
  assertEquals((await response.json()).code, "method-not-allowed");
  await api().refused("no-such-path", "GET", "/nowhere");
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
    await api().refused("no-such-path", method, "/v1/nowhere");
  }
});

Deno.test("createApp() gives every answer a request id, refused ones too", async () => {
  assert((await api().send("GET", "/healthz")).headers.get("x-request-id"));
  assert((await api().send("GET", "/nowhere")).headers.get("x-request-id"));
});

Deno.test("createApp() hides what went wrong inside behind internal-error", async () => {
  const app = api().app;
  const response = await app.request("http://localhost/v1/failing", { headers: bearer("all") }, {
    listener: TCP,
  });
  assertEquals(response.status, 500);
  const text = await response.text();
  assert(!text.includes("secret detail"));
  assertEquals(JSON.parse(text).code, "internal-error");
});

Deno.test("GET /problems/{code} explains each code and no other", async () => {
  const app = api().app;
  const get = (path: string) => app.request(`http://localhost${path}`, {}, { listener: TCP });
  assert((await (await get("/problems/stale-generation")).text()).includes("status 409"));
  const pages = new Set<string>();
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const page = await (await get(`/problems/${code}`)).text();
    const [, cause = "", again, advice = ""] =
      /\nCause: (.+)\n\nTrying again (may succeed|does not help).*\n\nWhat to do: (.+)\n$/.exec(
        page,
      ) ??
        [];
    assert(cause.length > 20 && advice.length > 20, `${code}: ${page}`);
    assertEquals(again === "may succeed", "retryable" in FAULTS[code], code);
    pages.add(cause).add(advice);
  }
  assertEquals(pages.size, 2 * Object.keys(FAULTS).length, "two codes have the same text");
  assertEquals((await get("/problems/constructor")).status, 404);
});

Deno.test("HEAD has the length that GET would send, of answers, problems and streams", async () => {
  const { app } = api();
  const streams = new Routes();
  let isLetGo = false;
  streams.get("/long", () =>
    new Response(
      new ReadableStream({
        cancel() {
          isLetGo = true;
        },
      }),
      { headers: { "content-length": "12345678901" } },
    ));
  streams.get("/short", () => new Response(ReadableStream.from(["one", "two"].map(encoded))));
  streams.get("/empty", (c) => c.body(null, 204));
  app.route("/streams", streams);
  const head = (path: string) => app.request(path, { method: "HEAD" }, { listener: TCP });
  for (const path of ["/healthz", "/nowhere", "/v1/failing", "/problems/bad-name"]) {
    const got = await app.request(path, {}, { listener: TCP });
    const { byteLength } = await got.arrayBuffer();
    const { status, headers, body } = await head(path);
    assertEquals([status, headers.get("content-length")], [got.status, String(byteLength)], path);
    assertEquals([headers.get("content-type"), body], [got.headers.get("content-type"), null]);
  }
  assertEquals((await head("/streams/short")).headers.get("content-length"), "6");
  assertEquals((await head("/streams/long")).headers.get("content-length"), "12345678901");
  assertEquals(isLetGo, true);
  assertEquals((await head("/streams/empty")).headers.get("content-length"), null);
});

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);
