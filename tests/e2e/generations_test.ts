import { assert, assertEquals, assertGreaterOrEqual, assertRejects } from "@std/assert";
import { delay, retry } from "@std/async";
import { Daemon, WatchClient } from "../support/daemon.ts";
import { MappedPage } from "../support/mapped_page.ts";

const scope = "/v1/scopes/vm-7";
const bump = { reason: "restore" };

Deno.test("a watcher is notified, finds the page ahead of the frame, confirms, and the barrier opens", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", scope, {});
  using page = new MappedPage(`${daemon.pageFolder}/vm-7/sysgenid`);
  const client = await daemon.watch();
  assertEquals((await client.next("hello"))["limits"].frameBytes, 65_536);
  const watching = await client.watchScope("vm-7", "app");
  assertEquals([watching["generation"], watching["outdated"], watching["resumed"]], [
    0,
    false,
    false,
  ]);
  client.socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "generation") assertGreaterOrEqual(page.generation, frame.generation);
  });
  for (let generation = 1; generation <= 200; generation++) {
    const notice = client.next("generation");
    await daemon.json(201, "POST", `${scope}/bumps`, bump);
    assertEquals((await notice)["generation"], generation);
    const late = await daemon.json(409, "GET", `${scope}/barrier`);
    assertEquals([late.code, late.watchers[0].name], ["watchers-outdated", "app"]);
    const stale = await client.request({ type: "ack", scope: "vm-7", generation: generation - 1 });
    assertEquals(stale["problem"].code, "stale-generation");
    const acked = await client.request({ type: "ack", scope: "vm-7", generation });
    assertEquals([acked["type"], acked["outdated"]], ["acked", 0]);
    assertEquals((await client.next("settled"))["generation"], generation);
    await daemon.json(204, "GET", `${scope}/barrier`);
  }
  await client.close();
});

Deno.test("a barrier that waits opens when the last of three confirms", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", scope, {});
  const clients = await Promise.all([1, 2, 3].map(() => daemon.watch()));
  for (const [index, client] of clients.entries()) await client.watchScope("vm-7", `w${index}`);
  await daemon.json(201, "POST", `${scope}/bumps`, bump);
  const waiting = daemon.fetch(`${scope}/barrier`, { headers: { prefer: "wait=10" } });
  for (const client of clients) {
    const { generation, epoch } = await client.next("generation");
    await client.request({ type: "ack", scope: "vm-7", generation, epoch });
  }
  const opened = await waiting;
  assertEquals([opened.status, opened.headers.get("innkeeper-generation")], [204, "1"]);
  for (const client of clients) await client.close();
});

Deno.test("kill -9 between two bumps: the generation goes on, the page keeps its inode and its readers", async () => {
  const first = await Daemon.start();
  await first.json(201, "PUT", scope, {});
  const path = `${first.pageFolder}/vm-7/sysgenid`;
  using page = new MappedPage(path);
  const inode = (await Deno.stat(path)).ino;
  const { generation, unique } = await first.json(201, "POST", `${scope}/bumps`, bump);
  await first.stop("SIGKILL");
  await using second = await Daemon.start({ folder: first.folder });
  assertEquals((await second.json(200, "GET", scope)).unique, unique);
  assertEquals([page.generation, (await Deno.stat(path)).ino], [generation, inode]);
  const next = await second.json(201, "POST", `${scope}/bumps`, bump);
  assertEquals([next.generation, page.generation], [generation + 1, generation + 1]);
});

Deno.test("three tracked watchers, one confirms, kill -9: the barrier names the others at once", async () => {
  const first = await Daemon.start();
  await first.json(201, "PUT", scope, {});
  const clients = await Promise.all([1, 2, 3].map(() => first.watch()));
  const tokens: string[] = [];
  for (const [index, client] of clients.entries()) {
    tokens.push((await client.watchScope("vm-7", `w${index}`))["token"]);
  }
  await first.json(201, "POST", `${scope}/bumps`, bump);
  await (clients[0] as WatchClient).request({ type: "ack", scope: "vm-7", generation: 1 });
  await first.stop("SIGKILL");
  await Promise.all(clients.map((client) => client.closed));
  await using second = await Daemon.start({ folder: first.folder });
  const problem = await second.json(409, "GET", `${scope}/barrier`);
  const names: string[] = problem.watchers.map(({ name }: { name: string }) => name);
  assert(names.includes("w1") && names.includes("w2"), names.join());
  const client = await second.watch();
  for (const [index, token] of tokens.entries()) {
    const back = await (index === 0 ? client : await second.watch()).watchScope(
      "vm-7",
      `w${index}`,
      token,
    );
    assertEquals(back["resumed"], true);
  }
});

Deno.test("the watch socket is refused without token, to foreign pages, and to unknown subprotocols", async () => {
  await using daemon = await Daemon.start();
  // Only the first request of a connection can become a WebSocket.
  const connect = async (headers: Record<string, string>) => {
    using client = Deno.createHttpClient({});
    const upgrade = { upgrade: "websocket", connection: "upgrade", ...headers };
    const init: RequestInit & { client: Deno.HttpClient } = { headers: upgrade, client };
    const response = await daemon.fetch("/v1/watch", init);
    return new Response(await response.bytes(), response);
  };
  const refused = async (status: number, code: string, response: Response) => {
    assertEquals([response.status, (await response.json()).code], [status, code]);
  };
  await refused(400, "malformed-request", await connect({}));
  const accept = { accept: "application/json" };
  await refused(400, "malformed-request", await connect(accept));
  const plain = await daemon.fetch("/v1/watch", { headers: accept });
  assertEquals([plain.status, await plain.json()], [200, {
    subprotocols: ["innkeeper.watch.v1", "innkeeper.sysgenid.v1"],
    asyncapi: "/asyncapi.json",
  }]);
  await refused(400, "malformed-request", await daemon.fetch("/v1/watch"));
  await refused(401, "token-unknown", await connect({ authorization: "Bearer wrong" }));
  await refused(403, "origin-not-allowed", await connect({ origin: "http://evil.example" }));
  await assertRejects(() =>
    WatchClient.open(daemon.url, daemon.token, { protocols: ["other.v1"] })
  );
  await assertRejects(() => WatchClient.open(daemon.url, "wrong"));
  await assertRejects(() =>
    WatchClient.open(daemon.url, daemon.token, { headers: { origin: "http://evil.example" } })
  );
  const mixed = await WatchClient.open(daemon.url, daemon.token, {
    protocols: ["bearer.SECRET", "innkeeper.watch.v1"],
  });
  assertEquals(mixed.socket.protocol, "innkeeper.watch.v1");
  await mixed.close();
});

Deno.test("frames that are none end the connection with the right code", async () => {
  await using daemon = await Daemon.start();
  const cases: [string | Uint8Array<ArrayBuffer>, number][] = [
    ["not json", 4400],
    ["{}", 4400],
    [new Uint8Array([1]), 4400],
    ["x".repeat(65_537), 4413],
  ];
  for (const [data, code] of cases) {
    const client = await daemon.watch();
    client.socket.send(data);
    assertEquals(await client.closed, code);
  }
  const client = await daemon.watch();
  const refused = await client.request({ type: "ack", scope: "vm-7", generation: "1" });
  assertEquals(refused["problem"].code, "malformed-request");
  const unknown = await client.request({ type: "watch", scope: "nobody", name: "a" });
  assertEquals(unknown["problem"].code, "scope-not-found");
  const unwatched = await client.request({ type: "ack", scope: "system", generation: 0 });
  assertEquals(unwatched["problem"].code, "not-watching");
  await client.close();
});

Deno.test("a watcher whose connection ends, cleanly or not, is held and named (case 10)", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", scope, {});
  const clean = await daemon.watch();
  await clean.watchScope("vm-7", "clean");
  const program = new URL("../../bench/load/fanout_clients.ts", import.meta.url).pathname;
  await daemon.json(201, "PUT", "/v1/scopes/load", {});
  const killed = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, `${daemon.url.replace("http", "ws")}/v1/watch`, "1"]
      .concat([daemon.token, "tracked"]),
    stdout: "piped",
  }).spawn();
  const reader = killed.stdout.getReader();
  await reader.read();
  await reader.cancel();
  await clean.close();
  killed.kill("SIGKILL");
  await killed.status;
  for (const [name, watcher] of [["vm-7", "clean"], ["load", "w0"]]) {
    await daemon.json(201, "POST", `/v1/scopes/${name}/bumps`, bump);
    const held = await retry(async () => {
      const problem = await daemon.json(409, "GET", `/v1/scopes/${name}/barrier`);
      assertEquals(problem.watchers[0].presence, "held");
      return problem.watchers[0].name;
    }, { minTimeout: 10, maxTimeout: 50, maxAttempts: 100 });
    assertEquals(held, watcher);
  }
});

Deno.test("the vmclock page shows the epoch, at rest, over a kill -9", async () => {
  const first = await Daemon.start();
  await first.json(201, "PUT", scope, {});
  const { vmclockPath } = await (await first.fetch(`${scope}/page`, {
    headers: { accept: "application/json" },
  })).json();
  const shown = (): [epoch: bigint, sequence: number] => {
    const view = new DataView(Deno.readFileSync(vmclockPath).buffer);
    return [view.getBigUint64(0x68, true), view.getUint32(0x0c, true)];
  };
  await first.json(201, "POST", `${scope}/bumps`, bump);
  assertEquals(shown(), [1n, 2]);
  await first.stop("SIGKILL");
  const odd = await Deno.open(vmclockPath, { write: true });
  await odd.seek(0x0c, Deno.SeekMode.Start);
  await odd.write(Uint8Array.of(3, 0, 0, 0));
  odd.close();
  await using second = await Daemon.start({ folder: first.folder });
  assertEquals(shown(), [1n, 4]);
  await second.json(201, "POST", `${scope}/bumps`, bump);
  assertEquals(shown(), [2n, 6]);
});

Deno.test("failures, history, events and keys of bumps are there after a stop and after a kill -9", async () => {
  const keyed = async (daemon: Daemon): Promise<Record<string, unknown>> => {
    const response = await daemon.fetch(`${scope}/bumps`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "once" },
      body: JSON.stringify(bump),
    });
    assertEquals(response.status, 201);
    return await response.json();
  };
  const events = async (daemon: Daemon) =>
    await (await daemon.fetch("/v1/events?limit=1000", {
      headers: { accept: "application/json" },
    })).json();
  let daemon = await Daemon.start();
  await daemon.json(201, "PUT", scope, {});
  await daemon.json(201, "PUT", `${scope}/watchers/app`, { track: true });
  const first = await keyed(daemon);
  const { generation } = first;
  await daemon.json(204, "PUT", `${scope}/watchers/app/failure`, {
    generation,
    reason: "no seed",
  });
  const history = await daemon.json(200, "GET", `${scope}/history`);
  assertEquals(history.items.length, 1);
  let known = await events(daemon);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (signal === "SIGKILL") await delay(100);
    await daemon.stop(signal);
    daemon = await Daemon.start({ folder: daemon.folder });
    const barrier = await daemon.json(409, "GET", `${scope}/barrier`);
    assertEquals([barrier.code, barrier.watchers[0].reason], ["watchers-failed", "no seed"]);
    assertEquals(await keyed(daemon), first);
    assertEquals(await daemon.json(200, "GET", `${scope}/history`), history);
    const { gap, items } = await events(daemon);
    assertEquals([gap, items.slice(0, known.items.length)], [undefined, known.items]);
    known = { items };
  }
  await daemon.stop("SIGKILL");
});
