/**
 * A run of a guest up to its next notify: in one thread with v86, and through the domain and the
 * engine in its Worker. Beside it is the floor under the latter: one message to a Worker that does
 * nothing, and its answer.
 *
 * Run with `deno bench --allow-read bench/guests_bench.ts`.
 */
import { setImmediate } from "node:timers";
import { PAGE_BYTES } from "../src/core/limits.ts";
import type { SnapshotStore } from "../src/core/ports/snapshot_store.ts";
import { systemClock, systemRandom } from "../src/cli/system.ts";
import type { Ledger } from "../src/core/ports/ledger.ts";
import { V86Engines } from "../src/engines/v86/engines.ts";
import { BareGuest } from "../src/engines/v86/bare_guest.ts";
import { Guests } from "../src/guests/guests.ts";
import { guestFiles, showing } from "../tests/support/guest_files.ts";

const IDENTITY = { generation: 1, epoch: 1n, unique: "00".repeat(16) };
const BUDGET_MS = 60_000;

/** mov ebx; INIT; 1: NOTIFY 1; jmp 1b. To be loaded at 0x1000. */
const NOTIFIER = Uint8Array.from([
  ...[0xbb, 0x00, 0x20, 0x00, 0x00, 0xb8, 0x01, 0x00, 0x00, 0x00, 0xe7, 0x1f],
  ...[0xbb, 0x01, 0x00, 0x00, 0x00, 0xb8, 0x11, 0x00, 0x00, 0x00, 0xe7, 0x1f, 0xeb, 0xf2],
]);

const unused = (): never => {
  throw new TypeError("this benchmark keeps no snapshots");
};
const NO_SNAPSHOTS: SnapshotStore = {
  put: unused,
  ids: unused,
  open: unused,
  delete: unused,
};

/** Keeps nothing: what a commit costs is measured with generations. */
const NO_LEDGER: Ledger = {
  load: () => Promise.resolve([]),
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

const engines = new V86Engines();
const guests = await Guests.open({
  engines: { v86: () => engines.make() },
  files: guestFiles(),
  snapshots: NO_SNAPSHOTS,
  ledger: NO_LEDGER,
  events: { emit() {} },
  clock: systemClock,
  random: systemRandom,
});

const MEMORY_BYTES = 4 * 1024 * 1024;
const LOAD = { at: 0x1000, bytes: NOTIFIER };

/** A guest without a Worker, as a program that embeds the engine would have it. */
function guestInThread(): Promise<BareGuest> {
  const start = { memoryBytes: MEMORY_BYTES, start: 0x1000, load: [LOAD], identity: IDENTITY };
  return BareGuest.start(start, {
    wallNs: systemClock.wallNs,
    monotonicMs: systemClock.monotonicMs,
    idle: () => new Promise((resolve) => setImmediate(resolve)),
    wake() {},
    notified() {},
  });
}

const program = (name: string) => ({
  name,
  engine: "v86" as const,
  bare: {
    pfnLimit: MEMORY_BYTES / PAGE_BYTES,
    start: 0x1000n,
    load: [{ at: 0x1000n, bytes: NOTIFIER }],
  },
});
const enterScope = showing(IDENTITY);

/** A Worker that answers every message with the same. */
class Echo {
  readonly #worker = new Worker(
    URL.createObjectURL(
      new Blob(["onmessage = ({ data }) => postMessage(data);"], { type: "text/javascript" }),
    ),
    { type: "module" },
  );

  request(message: unknown): Promise<unknown> {
    return new Promise((resolve) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
      this.#worker.postMessage(message);
    });
  }

  close(): void {
    this.#worker.terminate();
  }
}

const ROUNDS = 1000;
/** Both threads compile what is hot before the clock starts. */
const WARM_UP_ROUNDS = 500;

const group = { group: `${ROUNDS} runs to a notify` };

Deno.bench("messages to a Worker and back", { ...group, baseline: true }, async (b) => {
  const echo = new Echo();
  const request = (id: number) => echo.request({ id, call: "run", budgetMs: BUDGET_MS });
  for (let id = 0; id < WARM_UP_ROUNDS; id++) await request(id);
  b.start();
  for (let id = 0; id < ROUNDS; id++) await request(id);
  b.end();
  echo.close();
});

Deno.bench("runs on v86, in one thread", group, async (b) => {
  const guest = await guestInThread();
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await guest.run(BUDGET_MS);
  b.start();
  for (let i = 0; i < ROUNDS; i++) await guest.run(BUDGET_MS);
  b.end();
});

Deno.bench("runs on v86", group, async (b) => {
  const { guest } = await guests.create(program("notifier"), enterScope);
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await guest.run(BUDGET_MS);
  b.start();
  for (let i = 0; i < ROUNDS; i++) await guest.run(BUDGET_MS);
  b.end();
  await guests.delete("notifier", { ownerToken: undefined, force: true });
});

const life = { group: "make a guest of 4 MiB and delete it" };

Deno.bench("a Worker that answers once", { ...life, baseline: true }, async () => {
  const echo = new Echo();
  await echo.request(0);
  echo.close();
});

Deno.bench("a guest on v86", life, async () => {
  await guests.create(program("short"), enterScope);
  await guests.delete("short", { ownerToken: undefined, force: true });
});
