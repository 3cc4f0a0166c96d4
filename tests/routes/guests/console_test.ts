import { assertEquals } from "@std/assert";
import type { Permission } from "../../../src/core/rights.ts";
import { Principal } from "../../../src/access/tokens.ts";
import { Connections } from "../../../src/sessions/connections.ts";
import { SendTurns } from "../../../src/sessions/send_turns.ts";
import { guestConsoleRoutes } from "../../../routes/guests/console.ts";
import { guestRoutes } from "../../../routes/guests/guests.ts";
import { Api } from "../../support/api.ts";
import { FakeClock } from "../../support/clock.ts";
import { HELLO } from "../../support/guest_programs.ts";
import { TestDaemon } from "../../support/stub_guests.ts";

async function bench(): Promise<{ api: Api; daemon: TestDaemon; clock: FakeClock }> {
  const daemon = await TestDaemon.open();
  const clock = new FakeClock();
  const parts = {
    isKnown: () => true,
    connections: new Connections(clock),
    clock,
    turns: new SendTurns(queueMicrotask),
    upgrade: (): never => {
      throw new Error("no socket here");
    },
  };
  const { signal } = new AbortController();
  const api = Api.of(guestConsoleRoutes(daemon.guests, parts, signal), guestRoutes(daemon, signal));
  return { api, daemon, clock };
}

const LINUX = { memoryMiB: 21, kernel: "k", initrd: "i", commandLine: "console=ttyS0" };

Deno.test("POST /v1/guests makes a Linux guest, and says of what kind each guest is", async () => {
  const { api } = await bench();
  const made = await api.json(201, "POST", "/v1/guests", { json: { name: "deb", linux: LINUX } });
  assertEquals([made.kind, made.state, made.memoryBytes], ["linux", "ready", "22020096"]);
  const load = [{ at: 4096, bytes: HELLO.toBase64() }];
  const bare = { pfnLimit: 16, start: 4096, load };
  await api.json(201, "POST", "/v1/guests", { json: { name: "hello", bare } });
  const { items } = await api.json(200, "GET", "/v1/guests");
  assertEquals(items.map(({ kind }: { kind: string }) => kind), ["linux", "bare"]);
});

Deno.test("POST /v1/guests makes a Linux guest only for who may read what it is given", async () => {
  const { api } = await bench();
  const as = (...permissions: Permission[]) => ({
    listener: { kind: "unix", principal: new Principal("test", permissions) } as const,
    json: { name: "deb", linux: LINUX },
  });
  await api.refused("not-permitted", "POST", "/v1/guests", as("guest"));
  await api.json(201, "POST", "/v1/guests", as("guest", "read"));
});

Deno.test("POST /v1/guests refuses a Linux guest that cannot boot, and leaves none over", async () => {
  const { api } = await bench();
  const refused = (code: Parameters<Api["refused"]>[0], linux: object) =>
    api.refused(code, "POST", "/v1/guests", { json: { name: "deb", linux } });
  await refused("value-not-allowed", { ...LINUX, memoryMiB: 15 });
  await refused("value-not-allowed", { ...LINUX, memoryMiB: 257 });
  await refused("value-not-allowed", { ...LINUX, memoryMiB: 19 });
  await refused("value-not-allowed", { ...LINUX, commandLine: "x".repeat(2048) });
  await refused("malformed-request", { ...LINUX, memoryMiB: 20.5 });
  await refused("malformed-request", { memoryMiB: 21 });
  await refused("malformed-request", { ...LINUX, disks: "none" });
  await api.refused("malformed-request", "POST", "/v1/guests", {
    json: { linux: LINUX, snapshot: "s" },
  });
  assertEquals((await api.json(200, "GET", "/v1/guests")).items, []);
});

Deno.test("GET …/console gives the tail from an offset, waits for more, and stays after death", async () => {
  const { api, daemon, clock } = await bench();
  await api.json(201, "POST", "/v1/guests", { json: { name: "deb", linux: LINUX } });
  const { console } = daemon.guests.get("deb");
  const read = async (query = "", headers = {}) => {
    const response = await api.send("GET", `/v1/guests/deb/console${query}`, { headers });
    const { headers: got } = response;
    const [start, end] = ["start", "end"].map((one) => got.get(`innkeeper-console-${one}`));
    return [await response.text(), start, end];
  };
  assertEquals(await read(), ["", "0", "0"]);
  console.append(new TextEncoder().encode("hello"));
  assertEquals(await read(), ["hello", "0", "5"]);
  assertEquals(await read("?since=3"), ["lo", "3", "5"]);
  const waiting = read("?since=5", { prefer: "wait=10" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  console.append(new TextEncoder().encode("!"));
  assertEquals(await waiting, ["!", "5", "6"]);
  const late = read("?since=6", { prefer: "wait=1" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  clock.advance(1000);
  assertEquals(await late, ["", "6", "6"]);
  daemon.guests.get("deb").die({ reason: "powered off", errno: "ENOENT" });
  assertEquals(await read("", { prefer: "wait=10" }), ["hello!", "0", "6"]);
});

Deno.test("GET …/console refuses bare guests, wrong offsets, and a WebSocket that offers nothing", async () => {
  const { api } = await bench();
  const load = [{ at: 4096, bytes: HELLO.toBase64() }];
  const bare = { pfnLimit: 16, start: 4096, load };
  await api.json(201, "POST", "/v1/guests", { json: { name: "hello", bare } });
  await api.json(201, "POST", "/v1/guests", { json: { name: "deb", linux: LINUX } });
  await api.refused("wrong-guest-kind", "GET", "/v1/guests/hello/console");
  await api.refused("guest-not-found", "GET", "/v1/guests/nobody/console");
  for (const since of ["-1", "x", "1e3", "99999999999999999"]) {
    await api.refused("value-not-allowed", "GET", `/v1/guests/deb/console?since=${since}`);
  }
  const headers = { upgrade: "websocket", "sec-websocket-protocol": "other.v1" };
  await api.refused("malformed-request", "GET", "/v1/guests/deb/console", { headers });
});
