import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProblemError } from "../../src/client/problem_error.ts";
import { type Generation, Watcher, type WatcherOptions } from "../../src/client/watcher.ts";

type Frame = Record<string, unknown>;

/** The server's end of a connection, played by the test. */
class FakeSocket {
  readyState: number = WebSocket.OPEN;
  readonly sent: Frame[] = [];
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = WebSocket.CLOSED;
  }

  /** A frame comes from the server. */
  says(frame: Frame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** The connection is lost. */
  drops(): void {
    this.readyState = WebSocket.CLOSED;
    this.onclose?.({ code: 1006, reason: "" });
  }

  /** What the client has sent of a type. */
  of(type: string): Frame[] {
    return this.sent.filter((frame) => frame["type"] === type);
  }
}

const generation = (n: number): Frame => ({
  type: "generation",
  scope: "vm-7",
  generation: n,
  epoch: String(n),
  unique: "00",
  reason: "clone",
});

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

class Bench {
  readonly sockets: FakeSocket[] = [];
  readonly #waiting: ((socket: FakeSocket) => void)[] = [];

  watcher(options: Partial<WatcherOptions> = {}): Watcher {
    return new Watcher({
      scope: "vm-7",
      name: "app",
      open: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        this.#waiting.shift()?.(socket);
        return socket as unknown as WebSocket;
      },
      onGeneration: () => {},
      ...options,
    });
  }

  /** The next connection that the watcher makes. */
  next(): Promise<FakeSocket> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Answers the registration. */
  async acceptWatch(socket: FakeSocket, resumed = false): Promise<void> {
    await soon();
    socket.says({ type: "hello" });
    socket.says({ type: "watching", id: socket.of("watch")[0]?.["id"], resumed, token: "t1" });
  }
}

async function connected(options: Partial<WatcherOptions> = {}) {
  const bench = new Bench();
  const watcher = bench.watcher(options);
  const [socket] = bench.sockets as [FakeSocket];
  await bench.acceptWatch(socket);
  await watcher.ready;
  return { bench, watcher, socket };
}

Deno.test("Watcher confirms exactly the generation, after its callback has resolved", async () => {
  const adapted = Promise.withResolvers<void>();
  const { watcher, socket } = await connected({ onGeneration: () => adapted.promise });
  socket.says(generation(7));
  await soon();
  assertEquals(socket.of("ack"), []);
  adapted.resolve();
  await soon();
  assertEquals(socket.of("ack").map(({ generation, epoch }) => [generation, epoch]), [[7, "7"]]);
  watcher.disconnect();
});

Deno.test("Watcher reports a failure with the message of what its callback threw", async () => {
  const { watcher, socket } = await connected({
    onGeneration: () => Promise.reject(new Error("no entropy")),
  });
  socket.says(generation(7));
  await soon();
  assertEquals(socket.of("fail").map(({ reason }) => reason), ["no entropy"]);
  assertEquals(socket.of("ack"), []);
  watcher.disconnect();
});

Deno.test("Watcher gives an adaptation up when a newer generation comes, and confirms only that one", async () => {
  const seen: [number, boolean][] = [];
  const { watcher, socket } = await connected({
    onGeneration: async ({ generation }: Generation, signal: AbortSignal) => {
      await soon();
      await soon();
      seen.push([generation, signal.aborted]);
    },
  });
  socket.says(generation(1));
  socket.says(generation(2));
  socket.says(generation(2));
  for (let n = 0; n < 5; n++) await soon();
  assertEquals(seen, [[1, true], [2, false]]);
  assertEquals(socket.of("ack").map(({ generation }) => generation), [2]);
  watcher.disconnect();
});

Deno.test("Watcher comes back with its token and says again what it has done, without doing it twice", async () => {
  let runs = 0;
  const { bench, watcher, socket } = await connected({ onGeneration: () => void runs++ });
  socket.says(generation(3));
  await soon();
  const again = bench.next();
  socket.drops();
  const second = await again;
  await bench.acceptWatch(second, true);
  assertEquals(second.of("watch")[0]?.["token"], "t1");
  second.says(generation(3));
  await soon();
  assertEquals([runs, second.of("ack").length], [1, 1]);
  watcher.disconnect();
});

Deno.test("Watcher whose token was spent is a clone: it adapts anew (case 23)", async () => {
  let runs = 0;
  const { bench, watcher, socket } = await connected({ onGeneration: () => void runs++ });
  socket.says(generation(3));
  await soon();
  const again = bench.next();
  socket.drops();
  const second = await again;
  await bench.acceptWatch(second, false);
  second.says(generation(3));
  await soon();
  assertEquals([runs, second.of("ack").length], [2, 1]);
  watcher.disconnect();
});

Deno.test("Watcher follows a quiesce and says so; one that cannot says that, and why", async () => {
  let works = true;
  const { watcher, socket } = await connected({
    onQuiesce: () => {
      if (!works) throw new Error("busy");
    },
  });
  const quiesce = { type: "quiesce", scope: "vm-7", reason: "snapshot", maxMs: 1000 };
  socket.says(quiesce);
  await soon();
  assertEquals(socket.of("quiesced").length, 1);
  works = false;
  socket.says({ ...quiesce, quiesce: "q-2" });
  await soon();
  assertEquals(socket.of("quiesced").map(({ quiesce, cannot }) => [quiesce, cannot]), [
    [undefined, undefined],
    ["q-2", "busy"],
  ]);
  watcher.disconnect();
});

Deno.test("Watcher that is refused ends with the problem", async () => {
  const bench = new Bench();
  const watcher = bench.watcher();
  const [socket] = bench.sockets as [FakeSocket];
  await soon();
  socket.says({ type: "hello" });
  const id = socket.of("watch")[0]?.["id"];
  socket.says({ type: "error", id, problem: { code: "scope-not-found", detail: "no such scope" } });
  await assertRejects(() => watcher.ready, ProblemError, "no such scope");
  await assertRejects(() => watcher.done, ProblemError);
});

Deno.test("Watcher.stop() releases the watcher before it ends", async () => {
  const { watcher, socket } = await connected();
  const stopped = watcher.stop();
  await soon();
  assertEquals(socket.of("unwatch").length, 1);
  socket.says({ type: "unwatched", id: socket.of("unwatch")[0]?.["id"], scope: "vm-7" });
  await stopped;
  assert(socket.readyState === WebSocket.CLOSED);
});

Deno.test("Watcher.stop() does not release while it adapts: it reports that and is left behind", async () => {
  const { watcher, socket } = await connected({ onGeneration: () => new Promise(() => {}) });
  socket.says(generation(7));
  await soon();
  const stopped = watcher.stop();
  await soon();
  assertEquals([socket.of("unwatch"), socket.of("fail").length], [[], 1]);
  socket.says({ type: "failed", id: socket.of("fail")[0]?.["id"], scope: "vm-7" });
  await stopped;
  assertEquals(watcher.isLeftBehind, true);
});

Deno.test("Watcher.stop() does not release after its last adaptation failed", async () => {
  const { watcher, socket } = await connected({
    onGeneration: () => Promise.reject(new Error("no entropy")),
  });
  socket.says(generation(7));
  await soon();
  await watcher.stop();
  assertEquals([socket.of("unwatch"), watcher.isLeftBehind], [[], true]);
});

Deno.test("Watcher.stop() is left behind when there was a later generation than it knew", async () => {
  const { watcher, socket } = await connected();
  socket.says(generation(7));
  await soon();
  const stopped = watcher.stop();
  await soon();
  const [unwatch] = socket.of("unwatch");
  assertEquals(unwatch?.["epoch"], "7");
  const problem = { code: "stale-generation", detail: "it is 8" };
  socket.says({ type: "error", id: unwatch?.["id"], problem });
  await stopped;
  assertEquals(watcher.isLeftBehind, true);
});

Deno.test("Watcher.stop() ends also when there was nothing left to release", async () => {
  const { watcher, socket } = await connected();
  const stopped = watcher.stop();
  await soon();
  const id = socket.of("unwatch")[0]?.["id"];
  socket.says({ type: "error", id, problem: { code: "watcher-not-found", detail: "gone" } });
  await stopped;
});

Deno.test("Watcher that is refused for a while asks again over a new connection", async () => {
  const bench = new Bench();
  const watcher = bench.watcher();
  const [socket] = bench.sockets as [FakeSocket];
  await soon();
  socket.says({ type: "hello" });
  const again = bench.next();
  const problem = { code: "state-unavailable", detail: "disk full", retryable: true };
  socket.says({ type: "error", id: socket.of("watch")[0]?.["id"], problem });
  await bench.acceptWatch(await again);
  await watcher.ready;
  watcher.disconnect();
});

Deno.test("Watcher goes on by itself when it is not told that a quiesce is over", async () => {
  let resumed = 0;
  const { watcher, socket } = await connected({ onResume: () => void resumed++ });
  socket.says({ type: "settled", scope: "vm-7", generation: 1, epoch: "1" });
  socket.says({ type: "quiesce", scope: "vm-7", reason: "snapshot", maxMs: 5 });
  assertEquals(resumed, 0);
  await new Promise<void>((resolve) => setTimeout(resolve, 30));
  assertEquals(resumed, 1);
  watcher.disconnect();
});

const quiesce = { type: "quiesce", scope: "vm-7", reason: "snapshot", maxMs: 60_000 };

Deno.test("Watcher without anything to stop says that it cannot quiesce", async () => {
  const { watcher, socket } = await connected();
  socket.says({ ...quiesce, quiesce: "q-1", epoch: "0" });
  await soon();
  assertEquals(socket.of("quiesced").map(({ quiesce }) => quiesce), ["q-1"]);
  assert(typeof socket.of("quiesced")[0]?.["cannot"] === "string");
  watcher.disconnect();
});

Deno.test("Watcher stands still although an older generation settles, until its own quiesce is over", async () => {
  let resumed = 0;
  const { watcher, socket } = await connected({
    onQuiesce: () => {},
    onResume: () => void resumed++,
  });
  socket.says({ ...quiesce, quiesce: "q-2", epoch: "4" });
  socket.says({ type: "settled", scope: "vm-7", generation: 4, epoch: "4" });
  socket.says({ type: "unquiesce", scope: "vm-7", quiesce: "q-1" });
  assertEquals(resumed, 0);
  socket.says({ type: "unquiesce", scope: "vm-7", quiesce: "q-2" });
  assertEquals(resumed, 1);
  watcher.disconnect();
});

Deno.test("Watcher goes on as soon as the daemon has taken its own confirmation", async () => {
  let resumed = 0;
  const { watcher, socket } = await connected({
    onQuiesce: () => {},
    onResume: () => void resumed++,
  });
  socket.says({ ...quiesce, quiesce: "q-1", epoch: "4" });
  socket.says(generation(5));
  await soon();
  assertEquals(resumed, 0, "the daemon has not answered yet");
  socket.says({ type: "acked", id: socket.of("ack")[0]?.["id"], scope: "vm-7", outdated: 3 });
  assertEquals(resumed, 1);
  watcher.disconnect();
});

Deno.test("Watcher whose quiesce is over before it stands still does not say that it does", async () => {
  const stopped = Promise.withResolvers<void>();
  const { watcher, socket } = await connected({ onQuiesce: () => stopped.promise });
  socket.says({ ...quiesce, quiesce: "q-1", epoch: "0" });
  socket.says({ type: "unquiesce", scope: "vm-7", quiesce: "q-1" });
  stopped.resolve();
  await soon();
  assertEquals(socket.of("quiesced"), []);
  watcher.disconnect();
});

Deno.test("Watcher that comes back sends its process and the epoch that it confirmed last", async () => {
  const confirmed: string[] = [];
  const { bench, watcher, socket } = await connected({
    onConfirmed: (epoch) => void confirmed.push(epoch),
    process: () => Promise.resolve({ pid: 7 }),
  });
  assertEquals(socket.of("watch")[0]?.["epoch"], undefined);
  socket.says(generation(3));
  await soon();
  socket.says({ type: "acked", id: socket.of("ack")[0]?.["id"], scope: "vm-7", outdated: 0 });
  const again = bench.next();
  socket.drops();
  const second = await again;
  await bench.acceptWatch(second, true);
  assertEquals(second.of("watch").map(({ epoch, process }) => [epoch, process]), [
    ["3", { pid: 7 }],
  ]);
  assertEquals(confirmed, ["3"]);
  watcher.disconnect();
});

Deno.test("Watcher does not say that it has confirmed what the daemon has not taken", async () => {
  const { bench, watcher, socket } = await connected();
  socket.says(generation(3));
  await soon();
  const again = bench.next();
  socket.drops();
  const second = await again;
  await bench.acceptWatch(second, true);
  assertEquals(second.of("watch")[0]?.["epoch"], undefined);
  watcher.disconnect();
});
