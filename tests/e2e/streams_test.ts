import { assert, assertEquals, assertRejects } from "@std/assert";
import { retry } from "@std/async";
import { Daemon } from "../support/daemon.ts";

interface SseEvent {
  id?: string;
  event?: string;
  data?: string;
}

async function* sse(response: Response): AsyncGenerator<SseEvent> {
  let text = "";
  const body = response.body?.pipeThrough(new TextDecoderStream());
  for await (const part of body ?? []) {
    text += part;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      if (lines[0]?.startsWith(":")) continue;
      yield Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2)));
    }
  }
}

const bump = (daemon: Daemon, reason: string) =>
  daemon.json(201, "POST", "/v1/scopes/system/bumps", { reason });

Deno.test("GET /v1/events streams what changes and goes on after Last-Event-ID", async () => {
  await using daemon = await Daemon.start();
  const first = await daemon.fetch("/v1/events?after=0");
  const events = sse(first);
  await bump(daemon, "one");
  const seen: string[] = [];
  let lastId = "";
  for await (const { id, event, data } of events) {
    if (event !== "scope.bumped") continue;
    seen.push(JSON.parse(data ?? "").reason);
    lastId = id as string;
    break;
  }
  for (const reason of ["two", "three"]) await bump(daemon, reason);
  const again = await daemon.fetch("/v1/events", { headers: { "last-event-id": lastId } });
  for await (const { event, data } of sse(again)) {
    assert(event !== "gap", "nothing was lost");
    if (event === "scope.bumped") seen.push(JSON.parse(data ?? "").reason);
    if (seen.length === 3) break;
  }
  assertEquals(seen, ["one", "two", "three"]);
});

Deno.test("GET /v1/events goes on over a stop without a gap, tells of a kill by one, and ends when the daemon stops", async () => {
  const first = await Daemon.start();
  await bump(first, "one");
  const page = await (await first.fetch("/v1/events?after=0", {
    headers: { accept: "application/json" },
  })).json();
  const last = page.items.at(-1).seq;
  const stream = await first.fetch("/v1/events");
  await first.stop();
  for await (const _event of sse(stream)) continue;
  const since = async (daemon: Daemon, seq: number) =>
    await (await daemon.fetch(`/v1/events?after=${seq}`, {
      headers: { accept: "application/json" },
    })).json();
  const second = await Daemon.start({ folder: first.folder });
  await bump(second, "two");
  const after = await since(second, last);
  assertEquals([after.gap, after.items[0].seq], [undefined, last + 1]);
  await second.stop("SIGKILL");
  await using third = await Daemon.start({ folder: first.folder });
  await bump(third, "three");
  const lost = await since(third, after.items.at(-1).seq);
  assertEquals(lost.gap.after, after.items.at(-1).seq);
  assert(lost.items[0].seq >= lost.gap.before && lost.gap.before > lost.gap.after);
});

Deno.test("a ticket opens one WebSocket of its own origin without a token", async () => {
  await using daemon = await Daemon.start();
  const origin = daemon.url;
  const mint = async (headers: Record<string, string>): Promise<string> => {
    const response = await daemon.fetch("/v1/tickets", { method: "POST", headers });
    assertEquals(response.status, 201);
    return (await response.json()).ticket;
  };
  const open = (ticket: string, headers: Record<string, string>): Promise<WebSocket> =>
    new Promise((resolve, reject) => {
      const url = `${daemon.url.replace("http", "ws")}/v1/watch?ticket=${ticket}`;
      const socket = new WebSocket(url, { protocols: ["innkeeper.watch.v1"], headers });
      socket.onopen = () => resolve(socket);
      socket.onerror = () => reject(new Error("refused"));
    });
  const ticket = await mint({ origin });
  const socket = await open(ticket, { origin });
  await assertRejects(() => open(ticket, { origin }));
  const other = await mint({ origin });
  await assertRejects(() => open(other, {}));
  assert(!daemon.log.includes(ticket) && !daemon.log.includes(other), "a ticket was logged");
  const refused = await fetch(`${daemon.url}/v1/scopes?ticket=${await mint({ origin })}`);
  assertEquals(refused.status, 401);
  await refused.body?.cancel();
  socket.close();
});

/** The other end of a 4-byte connection. */
class BytesClient {
  readonly #frames: (number[] | string)[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly closed: Promise<number>;

  constructor(readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    this.closed = new Promise((resolve) => socket.onclose = ({ code }) => resolve(code));
    socket.onmessage = ({ data }) => {
      this.#frames.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
      for (const wake of this.#waiting.splice(0)) wake();
    };
  }

  static async open(daemon: Daemon, query: string): Promise<BytesClient> {
    const socket = new WebSocket(`${daemon.url.replace("http", "ws")}/v1/watch?${query}`, {
      protocols: ["innkeeper.sysgenid.v1"],
      headers: { authorization: `Bearer ${daemon.token}` },
    });
    const client = new BytesClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("refused"));
    });
    return client;
  }

  async next(): Promise<number[] | string> {
    while (this.#frames.length === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#frames.shift() as number[] | string;
  }
}

Deno.test("innkeeper.sysgenid.v1 mirrors the driver's read and write byte for byte", async () => {
  await using daemon = await Daemon.start();
  await assertRejects(() => BytesClient.open(daemon, "scope=nobody&name=a"));
  await assertRejects(() => BytesClient.open(daemon, "scope=system"));
  const client = await BytesClient.open(daemon, "scope=system&name=app&track=true");
  await daemon.json(201, "POST", "/v1/scopes/system/bumps", { reason: "x", minimum: 0x01020304 });
  const now = [4, 3, 2, 1];
  assertEquals(await client.next(), now);
  client.socket.send(Uint8Array.of(1, 0, 0, 0));
  assertEquals(JSON.parse(await client.next() as string).code, "stale-generation");
  assertEquals(await client.next(), now);
  client.socket.send(Uint8Array.of(1, 2, 3));
  assertEquals(JSON.parse(await client.next() as string).code, "wrong-length");
  assertEquals(await client.next(), now);
  await daemon.json(409, "GET", "/v1/scopes/system/barrier");
  client.socket.send(Uint8Array.of(...now));
  assertEquals(await client.next(), []);
  await daemon.json(204, "GET", "/v1/scopes/system/barrier");
  client.socket.send("text");
  assertEquals(await client.closed, 4400);
});

Deno.test("a bump while many 4-byte clients connect, and one whose watcher was released, leave the daemon alive", async () => {
  await using daemon = await Daemon.start();
  const connecting = Array.from(
    { length: 30 },
    (_, n) => BytesClient.open(daemon, `scope=system&name=w${n}&track=true`),
  );
  for (let n = 0; n < 30; n++) await bump(daemon, "x");
  const clients = await Promise.all(connecting);
  const { items } = await daemon.json(200, "GET", "/v1/scopes/system/watchers");
  for (const { watcher } of items) {
    await daemon.json(204, "DELETE", `/v1/scopes/system/watchers/${watcher}`);
  }
  for (const { socket } of clients) socket.send(Uint8Array.of(1, 2, 3, 4));
  assertEquals(await Promise.all(clients.map(({ closed }) => closed)), clients.map(() => 4404));
  await daemon.json(200, "GET", "/readyz");
});

Deno.test("HEAD of the events follows nothing, and a removed token follows no more", async () => {
  await using daemon = await Daemon.start();
  for (let n = 0; n < 5; n++) {
    const head = await daemon.fetch("/v1/events", { method: "HEAD" });
    assertEquals(head.status, 200);
  }
  const stream = await daemon.fetch("/v1/events");
  await Deno.writeTextFile(`${daemon.folder}/state/token`, "another\n");
  daemon.child.kill("SIGHUP");
  await retry(async () => {
    const refused = await daemon.fetch("/v1/scopes");
    await refused.body?.cancel();
    assertEquals(refused.status, 401);
  }, { minTimeout: 10, maxTimeout: 50, maxAttempts: 100 });
  const bumped = await daemon.fetch("/v1/scopes/system/bumps", {
    method: "POST",
    headers: { authorization: "Bearer another", "content-type": "application/json" },
    body: '{"reason":"secret"}',
  });
  assertEquals(bumped.status, 201);
  await bumped.body?.cancel();
  for await (const { data } of sse(stream)) assert(!String(data).includes("secret"));
});
