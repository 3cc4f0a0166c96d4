import { assertEquals } from "@std/assert";
import { Registry } from "prom-client";
import { IdempotentAnswers } from "../../../src/access/idempotency.ts";
import { Tickets } from "../../../src/access/tickets.ts";
import { parseTokenFile, Tokens } from "../../../src/access/tokens.ts";
import { createApp } from "../../../routes/http/app.ts";
import { scopeRoutes } from "../../../routes/generations/scopes.ts";
import { guestConsoleRoutes } from "../../../routes/guests/console.ts";
import { watchRoutes } from "../../../routes/generations/watch.ts";
import { ticketRoutes } from "../../../routes/operate/tickets.ts";
import { FakeClock } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";
import { ScopesBench } from "../../support/scopes.ts";
import { TestDaemon } from "../../support/stub_guests.ts";

const ORIGIN = "http://localhost";
const WEBSOCKET = { upgrade: "websocket", origin: ORIGIN };
const FILE = "all\nwatcher name=w watch:vm-*\nreader name=r read:vm-*\n";

async function bench() {
  const scopes = await new ScopesBench().withScope("vm-7");
  const { guests } = await TestDaemon.open();
  const tickets = new Tickets(new FakeClock(), new SeededRandom(1));
  const tokens = new Tokens(parseTokenFile(FILE));
  const { signal } = new AbortController();
  const sockets = { connections: { requireRoom: () => {} } } as never;
  const app = createApp({
    version: "0.0.0-test",
    tokens,
    tickets,
    answers: new IdempotentAnswers(new FakeClock()),
    allowedHosts: [],
    metrics: new Registry(),
    open: [],
    guarded: [
      scopeRoutes(scopes, signal),
      watchRoutes(sockets),
      guestConsoleRoutes(guests, sockets, signal),
      ticketRoutes(tickets),
    ],
  });
  const send = (path: string, headers: Record<string, string>, method = "GET", body = "") =>
    app.request(`${ORIGIN}${path}`, { method, headers, body: body === "" ? null : body }, {
      listener: { kind: "tcp" },
    });
  const code = async (path: string, headers: Record<string, string>, method = "GET") => {
    const response = await send(path, headers, method);
    return response.status < 400 ? response.status : (await response.json()).code;
  };
  const mint = async (token: string, json?: unknown): Promise<string> => {
    const headers = {
      authorization: `Bearer ${token}`,
      origin: ORIGIN,
      ...json === undefined ? {} : { "content-type": "application/json" },
    };
    const body = json === undefined ? "" : JSON.stringify(json);
    const response = await send("/v1/tickets", headers, "POST", body);
    assertEquals(response.status, 201);
    return (await response.json()).ticket;
  };
  return { tokens, send, code, mint, scopes };
}

const basic = (user: string, password: string) => ({
  authorization: `Basic ${new TextEncoder().encode(`${user}:${password}`).toBase64()}`,
});

Deno.test("authGuard() takes a token as the password of Basic, and nothing like it", async () => {
  const { code } = await bench();
  const path = "/v1/scopes/vm-7";
  for (const user of ["", "anybody", "r"]) {
    assertEquals(await code(path, basic(user, "reader")), 200);
    assertEquals(await code(path, basic(user, "watcher")), "not-permitted");
    assertEquals(await code(path, basic(user, "wrong")), "token-unknown");
  }
  assertEquals(await code(path, basic("reader", "")), "token-unknown");
  for (const wrong of ["Basic", "Basic !", "Basic cmVhZGVy", "Digest reader", "Basic  "]) {
    assertEquals(await code(path, { authorization: wrong }), "token-missing", wrong);
  }
  for (const site of ["cross-site", "same-site"]) {
    const headers = { ...basic("", "reader"), "sec-fetch-site": site };
    assertEquals(await code(path, headers), "origin-not-allowed");
  }
  assertEquals(await code(path, { ...basic("", "reader"), "sec-fetch-site": "same-origin" }), 200);
});

Deno.test("a refused browser is requested for a password only where it shows what it gets", async () => {
  const { send } = await bench();
  const challenge = async (destination?: string) => {
    const headers = destination === undefined ? {} : { "sec-fetch-dest": destination };
    return (await send("/v1/scopes", headers as Record<string, string>)).headers.get(
      "www-authenticate",
    );
  };
  assertEquals(await challenge(), "Bearer");
  assertEquals(await challenge("empty"), "Bearer");
  assertEquals(await challenge("websocket"), "Bearer");
  assertEquals(await challenge("audio"), 'Bearer, Basic realm="innkeeper", charset="UTF-8"');
});

Deno.test("a ticket opens the WebSocket that it is for and nothing else", async () => {
  const { code, mint } = await bench();
  const at = (path: string, ticket: string) => `${path}?ticket=${encodeURIComponent(ticket)}`;
  // It is let in and then refused, because it offers no subprotocol.
  assertEquals(await code(at("/v1/watch", await mint("watcher")), WEBSOCKET), "malformed-request");
  const closed = ["/v1/scopes", "/v1/scopes/vm-7", "/v1/nothing", "/metrics", "/v1/tickets"];
  for (const path of closed) {
    const ticket = await mint("all");
    assertEquals(await code(at(path, ticket), WEBSOCKET), "token-missing", path);
    assertEquals(await code(at(path, ticket), { origin: ORIGIN }), "token-missing", path);
  }
  for (const method of ["POST", "PUT", "DELETE"]) {
    const headers = { ...WEBSOCKET, "content-type": "application/json" };
    const path = at(`/v1/scopes/vm-7${method === "POST" ? "/bumps" : ""}`, await mint("all"));
    assertEquals(await code(path, headers, method), "token-missing", method);
  }
  const forWatch = await mint("all");
  assertEquals(await code(at("/v1/guests/g/console", forWatch), WEBSOCKET), "ticket-unknown");
  assertEquals(await code(at("/v1/watch", forWatch), WEBSOCKET), "ticket-unknown", "it is spent");
  const forConsole = await mint("all", { socket: "console" });
  assertEquals(await code(at("/v1/watch", forConsole), WEBSOCKET), "ticket-unknown");
  const other = await mint("all", { socket: "console" });
  assertEquals(await code(at("/v1/guests/g/console", other), WEBSOCKET), "guest-not-found");
});

Deno.test("a ticket permits what its principal could when it was made, and nothing once that is narrowed", async () => {
  const { code, mint, tokens } = await bench();
  const at = async (token: string) => `/v1/watch?ticket=${encodeURIComponent(await mint(token))}`;
  assertEquals(await code(await at("reader"), WEBSOCKET), "not-permitted");
  const before = await at("watcher");
  const [stays, narrowed] = [await at("all"), await at("watcher")];
  tokens.replace(parseTokenFile(FILE.replace("watch:vm-*", "watch:vm-8")));
  assertEquals(await code(before, WEBSOCKET), "token-unknown");
  assertEquals(await code(narrowed, WEBSOCKET), "token-unknown");
  assertEquals(await code(stays, WEBSOCKET), "malformed-request");
});

Deno.test("a wait ends refused when its principal is removed or narrowed, and goes on otherwise", async () => {
  const { send, tokens } = await bench();
  const wait = (token: string, path: string, headers = {}) =>
    send(`/v1/scopes/vm-7/${path}`, {
      authorization: `Bearer ${token}`,
      prefer: "wait=60",
      ...headers,
    });
  const epoch = { "if-none-match": '"0"' };
  const mine = wait("reader", "generation", epoch);
  const others = wait("all", "generation", epoch);
  await new Promise((resolve) => setTimeout(resolve, 0));
  tokens.replace(parseTokenFile("all\nreader name=r read:vm-8\n"));
  const refused = await mine;
  assertEquals([refused.status, (await refused.json()).code], [401, "token-unknown"]);
  tokens.replace(parseTokenFile(""));
  assertEquals((await others).status, 401);
});
