import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { FaultCode } from "../../../src/core/faults.ts";
import { admin, Principal } from "../../../src/access/tokens.ts";
import type { CreateGuest } from "../../../src/guests/create_guest.ts";
import { guestRoutes } from "../../../routes/guests/guests.ts";
import { Api, type TestRequest } from "../../support/api.ts";
import { FAKE_PROGRAMS } from "../../support/guest_engine.ts";
import { TestDaemon } from "../../support/stub_guests.ts";

const OCTETS = { "content-type": "application/octet-stream" };

const NEVER = new AbortController().signal;
const api = async (): Promise<Api> => Api.of(guestRoutes(await TestDaemon.open(), NEVER));
const bare = (program: keyof typeof FAKE_PROGRAMS) => ({
  pfnLimit: 16,
  start: 4096,
  load: [{ at: "4096", bytes: FAKE_PROGRAMS[program].toBase64() }],
});

async function made(
  routes: Api,
  program: keyof typeof FAKE_PROGRAMS = "hello",
): Promise<Record<string, string>> {
  const { ownerToken } = await routes.json(201, "POST", "/v1/guests", {
    json: { name: "g", bare: bare(program) },
  });
  return { "innkeeper-owner": ownerToken };
}

Deno.test("POST /v1/guests makes a guest, shown without its owner's token afterwards", async () => {
  const routes = await api();
  const created = await routes.json(201, "POST", "/v1/guests", {
    json: {
      name: "g",
      scope: "vm-9",
      bare: { ...bare("hello"), load: [{ at: 4096, inode: "5" }] },
    },
  });
  const { ownerToken, ...shown } = created;
  assert(ownerToken.length >= 32);
  assertEquals(shown.state, "ready");
  assertEquals([shown.scope, shown.generation, shown.memoryBytes], ["vm-9", 7, "65536"]);
  assertEquals(await routes.json(200, "GET", "/v1/guests/g"), shown);
  assertEquals(await routes.json(200, "GET", "/v1/guests"), { items: [shown] });
  const unnamed = await routes.json(201, "POST", "/v1/guests", { json: { bare: bare("hello") } });
  assert(unnamed.id.startsWith("guest-"));
  const first = await routes.json(200, "GET", "/v1/guests?limit=1");
  assertEquals([first.items.length, first.next], [1, "g"]);
  const second = await routes.json(200, "GET", "/v1/guests?limit=1&cursor=g");
  assertEquals(second.items.map(({ id }: { id: string }) => id), [unnamed.id]);
  await routes.refused("already-initialized", "POST", "/v1/guests", {
    json: { name: "g", bare: bare("hello") },
  });
  await routes.refused("engine-unavailable", "POST", "/v1/guests", {
    json: { engine: "kvm", bare: bare("hello") },
  });
});

Deno.test("POST /v1/guests refuses bad bodies and makes nothing", async () => {
  const routes = await api();
  const piece = { at: 0, inode: "5" };
  const cases: readonly (readonly [unknown, FaultCode])[] = [
    [{}, "malformed-request"],
    [[], "malformed-request"],
    [{ bare: bare("hello"), snapshot: "s" }, "malformed-request"],
    [{ bare: bare("hello"), extra: 1 }, "malformed-request"],
    [{ bare: { ...bare("hello"), extra: 1 } }, "malformed-request"],
    [{ name: "Not A Name", bare: bare("hello") }, "bad-name"],
    [{ engine: "qemu", bare: bare("hello") }, "value-not-allowed"],
    [{ bare: { ...bare("hello"), pfnLimit: 0 } }, "value-not-allowed"],
    [{ bare: { ...bare("hello"), pfnLimit: "16" } }, "malformed-request"],
    [{ bare: { ...bare("hello"), start: -1 } }, "value-not-allowed"],
    [{ bare: { ...bare("hello"), start: "18446744073709551616" } }, "value-not-allowed"],
    [{ bare: { ...bare("hello"), start: "18446744073709551615" } }, "address-out-of-range"],
    [{ bare: { ...bare("hello"), load: [{ ...piece, at: -1 }] } }, "value-not-allowed"],
    [{ bare: { ...bare("hello"), load: [{ ...piece, bytes: "" }] } }, "malformed-request"],
    [{ bare: { ...bare("hello"), load: [{ at: 0 }] } }, "malformed-request"],
    [{ bare: { ...bare("hello"), load: [{ at: 0, bytes: "%" }] } }, "value-not-allowed"],
    [{ bare: { ...bare("hello"), load: Array(17).fill(piece) } }, "value-not-allowed"],
    [{ snapshot: "unknown" }, "snapshot-not-found"],
  ];
  for (const [json, code] of cases) await routes.refused(code, "POST", "/v1/guests", { json });
  assertEquals((await routes.json(200, "GET", "/v1/guests")).items, []);
  await badBodies(routes, "POST", "/v1/guests");
});

/** Every JSON route refuses these in the same way. */
async function badBodies(
  routes: Api,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const json = { ...headers, "content-type": "application/json" };
  await routes.refused("malformed-request", method, path, { body: "", headers: json });
  await routes.refused("malformed-request", method, path, { body: "{", headers: json });
  const text = { ...headers, "content-type": "text/plain" };
  await routes.refused("wrong-media-type", method, path, { body: "{}", headers: text });
}

Deno.test("DELETE /v1/guests/{g} is idempotent, for the owner and admins", async () => {
  const routes = await api();
  const owner = await made(routes);
  const guest = { kind: "unix", principal: new Principal("someone", ["guest", "read"]) } as const;
  await routes.refused("not-owner", "DELETE", "/v1/guests/g", { listener: guest });
  for (let i = 0; i < 2; i++) {
    assertEquals(
      (await routes.send("DELETE", "/v1/guests/g", { listener: guest, headers: owner })).status,
      204,
    );
  }
  await routes.refused("guest-not-found", "GET", "/v1/guests/g");
  await made(routes);
  assertEquals((await routes.send("DELETE", "/v1/guests/g")).status, 204);
});

Deno.test("POST /v1/guests wants the scope read for what a guest would read for its maker", async () => {
  const routes = await api();
  const listener = { kind: "unix", principal: new Principal("someone", ["guest"]) } as const;
  const post = (json: unknown) => ({ listener, json });
  const image = { pfnLimit: 16, start: "4096", load: [{ at: "4096", inode: "5" }] };
  const linux = { memoryMiB: 16, kernel: "5" };
  for (const from of [{ snapshot: "snapshot-1" }, { bare: image }, { linux }]) {
    await routes.refused("not-permitted", "POST", "/v1/guests", post(from));
  }
  const load = [{ at: "4096", bytes: "AA==" }];
  await routes.json(201, "POST", "/v1/guests", post({ bare: { ...image, load } }));
});

Deno.test("every guest route refuses an unknown guest and a caller without access (case 1)", async () => {
  const routes = await api();
  const nobody = { kind: "unix", principal: new Principal("nobody", ["watch"]) } as const;
  const calls: readonly (readonly [string, string, TestRequest])[] = [
    ["GET", "", {}],
    ["POST", "/runs", { json: {} }],
    ["PUT", "/state", { json: { state: "paused" } }],
    ["POST", "/interrupts", { json: { line: 1 } }],
    ["GET", "/registers", {}],
    ["GET", "/registers/ax", {}],
    ["PUT", "/registers/ax", { json: { value: 1 } }],
    ["PATCH", "/registers", { json: { ax: 1 } }],
    ["GET", "/memory", {}],
    ["PUT", "/memory/ranges/0-0", { body: "x", headers: OCTETS }],
    ["POST", "/snapshots", {}],
    ["GET", "/channels", {}],
    ["GET", "/channels/5", {}],
    ["PUT", "/channels/5", {}],
    ["DELETE", "/channels/5", {}],
    ["POST", "/channels/5/drain", {}],
    ["POST", "/owner", {}],
  ];
  for (const [method, path, request] of calls) {
    await routes.refused("guest-not-found", method, `/v1/guests/none${path}`, request);
    await routes.refused("bad-name", method, `/v1/guests/NONE${path}`, request);
    await routes.refused("not-permitted", method, `/v1/guests/none${path}`, {
      ...request,
      listener: nobody,
    });
  }
  await routes.refused("not-permitted", "POST", "/v1/guests", { json: {}, listener: nobody });
  await routes.refused("not-permitted", "GET", "/v1/snapshots", { listener: nobody });
});

Deno.test("POST …/runs runs to a notify, for the owner only (cases 14, 26)", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/runs";
  await routes.refused("not-owner", "POST", path, { json: {} });
  await routes.refused("not-owner", "POST", path, {
    json: {},
    headers: { "innkeeper-owner": "x" },
  });
  const exit = { reason: "notify", value: "24589" };
  assertEquals(await routes.json(200, "POST", `${path}?vcpu=0`, { json: {}, headers }), exit);
  const shown = await routes.json(200, "GET", "/v1/guests/g");
  assertEquals([shown.exit, shown.notifies, shown.state], [exit, 1, "ready"]);
});

Deno.test("POST …/runs refuses bad budgets and vCPUs, and the guest has not run", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/runs";
  const cases: readonly (readonly [unknown, FaultCode])[] = [
    [{ budgetMs: 0 }, "value-not-allowed"],
    [{ budgetMs: -1 }, "value-not-allowed"],
    [{ budgetMs: 60_001 }, "value-not-allowed"],
    [{ budgetMs: 1.5 }, "malformed-request"],
    [{ budgetMs: "5" }, "malformed-request"],
    [{ budget: 5 }, "malformed-request"],
  ];
  for (const [json, code] of cases) await routes.refused(code, "POST", path, { json, headers });
  await routes.refused("vcpu-out-of-range", "POST", `${path}?vcpu=1`, { json: {}, headers });
  await routes.refused("malformed-request", "POST", `${path}?vcpu=x`, { json: {}, headers });
  await badBodies(routes, "POST", path, headers);
  assertEquals((await routes.json(200, "GET", "/v1/guests/g")).exit, undefined);
});

Deno.test("PUT …/state pauses and makes ready, each twice (case 39)", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/state";
  for (const state of ["paused", "paused", "ready", "ready", "running", "running", "ready"]) {
    const shown = await routes.json(200, "PUT", path, { json: { state }, headers });
    assertEquals(shown.state, state);
  }
  await routes.json(200, "PUT", path, { json: { state: "paused" }, headers });
  const problem = await routes.refused("wrong-state", "POST", "/v1/guests/g/runs", {
    json: {},
    headers,
  });
  assertEquals((problem as { allowed: unknown }).allowed, ["ready"]);
  await routes.refused("not-owner", "PUT", path, { json: { state: "ready" } });
  for (const json of [{ state: "dead" }, { state: "" }]) {
    await routes.refused("value-not-allowed", "PUT", path, { json, headers });
  }
  for (const json of [{}, { state: "ready", extra: 1 }]) {
    await routes.refused("malformed-request", "PUT", path, { json, headers });
  }
  await badBodies(routes, "PUT", path, headers);
});

Deno.test("POST …/interrupts needs the right and the owner (cases 4, 26)", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/interrupts";
  await routes.json(200, "POST", "/v1/guests/g/runs", { json: {}, headers });
  const irq = { kind: "unix", principal: new Principal("device", ["irq"]) } as const;
  await routes.refused("not-owner", "POST", path, { json: { line: 1 }, listener: irq });
  const raised = await routes.send("POST", path, { json: { line: 1 }, listener: irq, headers });
  assertEquals(raised.status, 202);
  const exit = await routes.json(200, "POST", "/v1/guests/g/runs", { json: {}, headers });
  assertEquals(exit, { reason: "notify", value: "1" });
  for (const line of [32, -1]) {
    await routes.refused("line-out-of-range", "POST", path, { json: { line } });
  }
  for (const json of [{ line: 1.5 }, { line: "5" }, {}, { line: 1, extra: 1 }]) {
    await routes.refused("malformed-request", "POST", path, { json });
  }
  await routes.refused("vcpu-out-of-range", "POST", `${path}?vcpu=7`, { json: { line: 1 } });
  const owner = { kind: "unix", principal: new Principal("owner", ["guest", "read"]) } as const;
  await routes.refused("not-permitted", "POST", path, {
    json: { line: 1 },
    listener: owner,
    headers,
  });
  await badBodies(routes, "POST", path);
});

Deno.test("…/registers reads and writes, all or nothing (cases 18, 19)", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/registers";
  const before = await routes.json(200, "GET", path, { headers });
  assertEquals([before.ip, before.ax, before.cs], ["4096", "1", "8"]);
  assertEquals(Object.keys(before).length, 16);
  assertEquals(await routes.json(200, "GET", `${path}/flags`, { headers }), {
    name: "flags",
    value: "514",
  });
  const set = await routes.json(200, "PUT", `${path}/ax`, {
    json: { value: "4294967295" },
    headers,
  });
  assertEquals(set, { name: "ax", value: "4294967295" });
  const patched = await routes.json(200, "PATCH", path, { json: { bx: 5, sp: "6" }, headers });
  assertEquals([patched.ax, patched.bx, patched.sp], ["4294967295", "5", "6"]);

  const cases: readonly (readonly [unknown, FaultCode])[] = [
    [{ bx: 9, cs: 1 }, "register-read-only"],
    [{ bx: 9, orig_ax: 1 }, "register-unknown"],
    [{ bx: 9, ax: "4294967296" }, "value-not-allowed"],
    [{ bx: 9, ax: -1 }, "value-not-allowed"],
    [{ bx: 9, ax: "18446744073709551616" }, "value-not-allowed"],
    [{ bx: 9, ax: null }, "malformed-request"],
    [{ bx: 9, ax: 1.5 }, "malformed-request"],
    [[1], "malformed-request"],
  ];
  for (const [json, code] of cases) await routes.refused(code, "PATCH", path, { json, headers });
  assertEquals(await routes.json(200, "GET", path, { headers }), patched);
  await badBodies(routes, "PATCH", path, headers);
  await badBodies(routes, "PUT", `${path}/ax`, headers);
  await routes.refused("malformed-request", "PUT", `${path}/ax`, { json: {}, headers });
  await routes.refused("malformed-request", "PUT", `${path}/ax`, {
    json: { value: 1, extra: 1 },
    headers,
  });
  const one = { json: { value: 1 }, headers };
  await routes.refused("register-read-only", "PUT", `${path}/flags`, one);
  await routes.refused("register-unknown", "PUT", `${path}/68`, one);
  await routes.refused("register-unknown", "GET", `${path}/constructor`, { headers });
  await routes.refused("not-owner", "GET", path);
  await routes.refused("not-owner", "GET", `${path}/ax`);
  await routes.refused("not-owner", "PUT", `${path}/ax`, { json: { value: 1 } });
  await routes.refused("not-owner", "PATCH", path, { json: {} });
  await routes.refused("vcpu-out-of-range", "GET", `${path}?vcpu=1`, { headers });
});

Deno.test("…/memory reads ranges and writes exactly as many bytes (case 20)", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/memory";
  const put = (range: string, body: string, type: Record<string, string> = OCTETS): TestRequest & {
    path: string;
  } => ({ path: `${path}/ranges/${range}`, body, headers: { ...headers, ...type } });
  const write = put("65533-65535", "abc");
  assertEquals((await routes.send("PUT", write.path, write)).status, 204);
  const last = await routes.send("GET", path, { headers: { ...headers, range: "bytes=-4" } });
  assertEquals(last.status, 206);
  assertEquals(last.headers.get("content-range"), "bytes 65532-65535/65536");
  assertEquals(await last.text(), "\0abc");
  const whole = await routes.send("GET", path, { headers });
  assertEquals([whole.status, (await whole.arrayBuffer()).byteLength], [200, 65536]);

  await routes.refused("range-not-satisfiable", "GET", path, {
    headers: { ...headers, range: "bytes=65536-65536" },
  });
  const cases: readonly (readonly [TestRequest & { path: string }, FaultCode])[] = [
    [put("65535-65536", "ab"), "address-out-of-range"],
    [put("4294967295-4294967296", "ab"), "address-out-of-range"],
    [put("0-67108864", "ab"), "address-out-of-range"],
    [put("0-1", "abc"), "wrong-length"],
    [put("0-1", ""), "wrong-length"],
    [put("1-0", ""), "value-not-allowed"],
    [put("0-18446744073709551616", "ab"), "value-not-allowed"],
    [put("-1-0", "ab"), "malformed-request"],
    [put("x", "ab"), "malformed-request"],
    [put("0-1", "ab", { "content-type": "application/json" }), "wrong-media-type"],
  ];
  for (const [request, code] of cases) await routes.refused(code, "PUT", request.path, request);
  await routes.refused("not-owner", "GET", path);
  await routes.refused("not-owner", "PUT", `${path}/ranges/0-1`, { body: "ab", headers: OCTETS });
  const after = await routes.send("GET", path, { headers: { ...headers, range: "bytes=0-3" } });
  assertEquals(await after.text(), "\0\0\0\0");
});

Deno.test("/v1/snapshots keeps a paused guest, and a clone shows its own generation", async () => {
  const routes = await api();
  const headers = await made(routes);
  await routes.json(200, "POST", "/v1/guests/g/runs", { json: {}, headers });
  await routes.refused("wrong-state", "POST", "/v1/guests/g/snapshots", { headers });
  await routes.json(200, "PUT", "/v1/guests/g/state", { json: { state: "paused" }, headers });
  await routes.refused("not-owner", "POST", "/v1/guests/g/snapshots");
  const snapshot = await routes.json(201, "POST", "/v1/guests/g/snapshots", { headers });
  assertEquals([snapshot.guest, snapshot.generation, snapshot.scope], ["g", 7, "vm-7"]);
  const path = `/v1/snapshots/${snapshot.id}`;
  assertEquals(await routes.json(200, "GET", path), snapshot);
  assertEquals(await routes.json(200, "GET", "/v1/snapshots"), { items: [snapshot] });
  await routes.refused("value-not-allowed", "GET", "/v1/snapshots?limit=0");

  const clone = await routes.json(201, "POST", "/v1/guests", { json: { snapshot: snapshot.id } });
  assertEquals([clone.generation, clone.state], [8, "ready"]);
  await routes.refused("not-owner", "POST", `/v1/guests/${clone.id}/runs`, { json: {}, headers });

  assertEquals((await routes.send("DELETE", path)).status, 204);
  await routes.refused("snapshot-not-found", "DELETE", path);
  await routes.refused("snapshot-not-found", "GET", path);
  await routes.refused("bad-name", "GET", "/v1/snapshots/..%2Fledger");
});

Deno.test("a dead guest answers only why it died (case 24)", async () => {
  const routes = await api();
  const headers = await made(routes, "crash");
  const deathReason = "unhandled trap 6 at 0x1000";
  const exit = await routes.json(200, "POST", "/v1/guests/g/runs", { json: {}, headers });
  assertEquals(exit, { reason: "dead", deathReason });
  const calls: readonly (readonly [string, string, TestRequest])[] = [
    ["POST", "/runs", { json: {}, headers }],
    ["POST", "/runs", { json: {}, headers }],
    ["PUT", "/state", { json: { state: "ready" }, headers }],
    ["POST", "/interrupts", { json: { line: 32 } }],
    ["GET", "/registers", { headers }],
    ["GET", "/registers/ax", { headers }],
    ["PUT", "/registers/nonsense", { json: { value: 1 }, headers }],
    ["PATCH", "/registers", { json: {}, headers }],
    ["GET", "/memory", { headers }],
    ["PUT", "/memory/ranges/0-0", { body: "x", headers: { ...headers, ...OCTETS } }],
    ["POST", "/snapshots", { headers }],
    ["GET", "/channels", {}],
    ["GET", "/channels/5", {}],
    ["PUT", "/channels/0", {}],
    ["DELETE", "/channels/5", {}],
    ["POST", "/channels/5/drain", {}],
    ["POST", "/owner", {}],
  ];
  for (const [method, path, request] of calls) {
    const problem = await routes.refused("guest-dead", method, `/v1/guests/g${path}`, request);
    assertEquals((problem as { deathReason: string }).deathReason, deathReason);
  }
  const shown = await routes.json(200, "GET", "/v1/guests/g");
  assertEquals([shown.state, shown.deathReason, shown.deathErrno], ["dead", deathReason, "ENOENT"]);
  assertEquals((await routes.send("DELETE", "/v1/guests/g", { headers })).status, 204);
});

Deno.test("POST …/runs is interrupted when its client goes away (case 28)", async () => {
  const daemon = await TestDaemon.open();
  const { app } = Api.of(guestRoutes(daemon, NEVER));
  const listener = { kind: "unix", principal: admin("test") } as const;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => app.fetch(request, { listener }),
  );
  try {
    const create: CreateGuest = {
      name: "g",
      engine: "auto",
      bare: {
        pfnLimit: 16,
        start: 4096n,
        load: [{ at: 4096n, bytes: FAKE_PROGRAMS.spin }],
      },
    };
    const { guest, ownerToken } = await daemon.createGuest(create);
    const client = new AbortController();
    const run = fetch(`http://127.0.0.1:${server.addr.port}/v1/guests/g/runs`, {
      method: "POST",
      headers: { "content-type": "application/json", "innkeeper-owner": ownerToken },
      body: "{}",
      signal: client.signal,
    }).catch(() => "gone");
    const until = async (state: string): Promise<void> => {
      while (guest.state !== state) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await deadline(until("running"), 10_000);
    client.abort();
    assertEquals(await run, "gone");
    await deadline(until("ready"), 10_000);
    assertEquals(guest.exit, { reason: "interrupted" });
    assertEquals(await guest.run(5), { reason: "budget" });
  } finally {
    await server.shutdown();
  }
});

Deno.test("…/channels attaches, counts, drains and detaches (cases 13, 15)", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/channels";
  const empty = { address: 0x600d, count: 0 };
  assertEquals(await routes.json(201, "PUT", `${path}/24589`), empty);
  assertEquals(await routes.json(200, "PUT", `${path}/24589`), empty);
  const run = { json: { budgetMs: 20 }, headers };
  assertEquals(await routes.json(200, "POST", "/v1/guests/g/runs", run), { reason: "budget" });
  const one = { address: 0x600d, count: 1 };
  assertEquals(await routes.json(200, "GET", `${path}/24589`), one);
  assertEquals(await routes.json(200, "GET", path), { items: [one] });
  assertEquals(await routes.json(200, "POST", `${path}/24589/drain`), one);
  assertEquals(await routes.json(200, "POST", `${path}/24589/drain`), empty);

  for (const address of ["0", "-1", "4294967296", "18446744073709551616", "007"]) {
    for (const method of ["PUT", "DELETE", "GET"]) {
      await routes.refused("value-not-allowed", method, `${path}/${address}`);
    }
  }
  for (const address of ["x", "1.5", "0x5"]) {
    await routes.refused("malformed-request", "PUT", `${path}/${address}`);
  }
  await routes.refused("channel-not-found", "GET", `${path}/5`);
  await routes.refused("channel-not-found", "POST", `${path}/5/drain`);
  assertEquals((await routes.send("DELETE", `${path}/24589`)).status, 204);
  assertEquals((await routes.send("DELETE", `${path}/24589`)).status, 204);
  assertEquals(await routes.json(200, "GET", path), { items: [] });
});

Deno.test("POST …/drain waits as Prefer says, and ends when the daemon stops", async () => {
  const daemon = await TestDaemon.open();
  const stopping = new AbortController();
  const routes = Api.of(guestRoutes(daemon, stopping.signal));
  const headers = await made(routes);
  const path = "/v1/guests/g/channels/24589";
  await routes.json(201, "PUT", path);
  const waiting = routes.send("POST", `${path}/drain`, { headers: { prefer: "wait=10" } });
  await routes.json(200, "POST", "/v1/guests/g/runs", { json: { budgetMs: 20 }, headers });
  const drained = await waiting;
  assertEquals(drained.headers.get("preference-applied"), "wait=10");
  assertEquals(await drained.json(), { address: 0x600d, count: 1 });
  const last = routes.json(200, "POST", `${path}/drain`, { headers: { prefer: "wait=10" } });
  await new Promise((resolve) => setTimeout(resolve, 0));
  stopping.abort();
  assertEquals((await last).count, 0);
});

Deno.test("PUT …/state running runs in the background, for the owner (case 39)", async () => {
  const routes = await api();
  const headers = await made(routes, "spin");
  const path = "/v1/guests/g/state";
  await routes.refused("not-owner", "PUT", path, { json: { state: "running" } });
  const state = async (wanted: string): Promise<string> =>
    (await routes.json(200, "PUT", path, { json: { state: wanted }, headers })).state;
  for (const wanted of ["running", "running"]) assertEquals(await state(wanted), "running");
  await routes.refused("already-running", "POST", "/v1/guests/g/runs", { json: {}, headers });
  await routes.refused("wrong-state", "GET", "/v1/guests/g/registers", { headers });
  assertEquals(await state("paused"), "paused");
  assertEquals(await state("running"), "running");
  assertEquals(await state("ready"), "ready");
});

Deno.test("POST …/owner gives an admin another token; the one before is refused", async () => {
  const routes = await api();
  const headers = await made(routes);
  const path = "/v1/guests/g/owner";
  const guest = { kind: "unix", principal: new Principal("someone", ["guest", "read"]) } as const;
  await routes.refused("not-permitted", "POST", path, { listener: guest, headers });
  const { ownerToken } = await routes.json(201, "POST", path);
  await routes.refused("not-owner", "GET", "/v1/guests/g/registers", { headers });
  await routes.json(200, "GET", "/v1/guests/g/registers", {
    headers: { "innkeeper-owner": ownerToken },
  });
});

Deno.test("POST /v1/guests with leaseMs: any request of the owner keeps the guest", async () => {
  const daemon = await TestDaemon.open();
  const routes = Api.of(guestRoutes(daemon, NEVER));
  const json = { name: "g", leaseMs: 100, bare: bare("hello") };
  for (const leaseMs of [0, -1, 86_400_001]) {
    await routes.refused("value-not-allowed", "POST", "/v1/guests", { json: { ...json, leaseMs } });
  }
  await routes.refused("malformed-request", "POST", "/v1/guests", {
    json: { ...json, leaseMs: 1.5 },
  });
  const { ownerToken } = await routes.json(201, "POST", "/v1/guests", { json });
  const headers = { "innkeeper-owner": ownerToken };
  for (let i = 0; i < 3; i++) {
    daemon.clock.advance(99);
    await routes.json(200, "GET", "/v1/guests/g", { headers });
  }
  daemon.clock.advance(50);
  await routes.json(200, "GET", "/v1/guests/g");
  daemon.clock.advance(50);
  await routes.refused("guest-not-found", "GET", "/v1/guests/g", { headers });
});

Deno.test("what is inside a guest is for who may use it and owns it, and its snapshots too", async () => {
  const daemon = await TestDaemon.open();
  const routes = Api.of(guestRoutes(daemon, NEVER));
  const headers = await made(routes);
  await routes.json(200, "POST", "/v1/guests/g/runs", { json: {}, headers });
  await routes.json(200, "PUT", "/v1/guests/g/state", { json: { state: "paused" }, headers });
  const { id } = await routes.json(201, "POST", "/v1/guests/g/snapshots", { headers });
  const as = (...grants: string[]) =>
    ({ listener: { kind: "unix", principal: new Principal("someone", grants) } }) as const;
  const [reader, user, other] = [as("read"), as("guest:g", "read:guests/*"), as("guest:h", "read")];
  const inside = ["registers", "registers/ax", "memory", "channels", "channels/5"];
  for (const path of inside.map((one) => `/v1/guests/g/${one}`)) {
    await routes.refused("not-permitted", "GET", path, { ...reader, headers });
    await routes.refused("not-permitted", "GET", path, { ...other, headers });
    await routes.refused("not-owner", "GET", path, user);
  }
  assertEquals((await routes.send("GET", "/v1/guests/g/memory", { ...user, headers })).status, 200);
  // Of how a run ended a reader sees that it did, and nothing that the program has said.
  const shown = await routes.json(200, "GET", "/v1/guests/g", reader);
  assertEquals(shown.exit, { reason: "notify" });
  assertEquals((await routes.json(200, "GET", "/v1/guests/g", user)).exit.value, "24589");

  const path = `/v1/snapshots/${id}`;
  await routes.refused("not-owner", "GET", path, reader);
  await routes.refused("snapshot-not-found", "GET", path, { ...as("read:guests/h"), headers });
  await routes.refused("snapshot-not-found", "DELETE", path, { ...other, headers });
  await routes.refused("not-owner", "DELETE", path, user);
  assertEquals((await routes.json(200, "GET", "/v1/snapshots", reader)).items, []);
  const listed = await routes.json(200, "GET", "/v1/snapshots", { ...user, headers });
  assertEquals(listed.items.length, 1);
  // It outlives its guest, and so does its owner.
  await routes.send("DELETE", "/v1/guests/g", { headers });
  await made(routes);
  await routes.refused("not-owner", "GET", path, user);
  await routes.json(200, "GET", path, { ...user, headers });
  assertEquals((await routes.send("DELETE", path, { ...user, headers })).status, 204);
});

Deno.test("POST …/owner takes the snapshots of a guest from the owner before", async () => {
  const routes = await api();
  const headers = await made(routes);
  await routes.json(200, "PUT", "/v1/guests/g/state", { json: { state: "paused" }, headers });
  const { id } = await routes.json(201, "POST", "/v1/guests/g/snapshots", { headers });
  const { ownerToken } = await routes.json(201, "POST", "/v1/guests/g/owner");
  const listener = {
    kind: "unix",
    principal: new Principal("someone", ["guest", "read"]),
  } as const;
  await routes.refused("not-owner", "GET", `/v1/snapshots/${id}`, { headers, listener });
  const owned = { listener, headers: { "innkeeper-owner": ownerToken } };
  await routes.json(200, "GET", `/v1/snapshots/${id}`, owned);
});

Deno.test("POST /v1/guests needs the right to its name, given or drawn", async () => {
  const routes = await api();
  const as = (...grants: string[]) =>
    ({ listener: { kind: "unix", principal: new Principal("someone", grants) } }) as const;
  const post = { json: { bare: bare("hello") } };
  await routes.refused("not-permitted", "POST", "/v1/guests", { ...post, ...as("guest:vm-*") });
  const json = { name: "other", ...post.json };
  await routes.refused("not-permitted", "POST", "/v1/guests", { json, ...as("guest:vm-*") });
  await routes.json(201, "POST", "/v1/guests", { ...post, ...as("guest:guest-*") });
  await routes.json(201, "POST", "/v1/guests", { json, ...as("guest:other") });
});
