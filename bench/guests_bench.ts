/**
 * A run of a guest up to its next notify, through the domain and the engine in its Worker, beside
 * the floor under it: one message to a Worker that does nothing, and its answer.
 *
 * Run with `deno bench --allow-read bench/guests_bench.ts`.
 */
import { PAGE_BYTES } from "../src/core/limits.ts";
import type { SnapshotStore } from "../src/core/ports/snapshot_store.ts";
import { systemClock, systemRandom } from "../src/cli/system.ts";
import { V86Engine } from "../src/engines/v86/engine.ts";
import { Guests } from "../src/guests/guests.ts";

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
  size: unused,
  read: unused,
  delete: unused,
};

const guests = await Guests.open({
  engines: { v86: () => new V86Engine() },
  snapshots: NO_SNAPSHOTS,
  clock: systemClock,
  random: systemRandom,
});

const program = (id: string) => ({
  id,
  scope: "bench",
  engine: "v86" as const,
  from: {
    program: {
      pfnLimit: (4 * 1024 * 1024) / PAGE_BYTES,
      start: 0x1000n,
      load: [{ at: 0x1000n, bytes: NOTIFIER }],
    },
  },
});

/** A Worker that answers every message with the same. */
class Echo {
  readonly #worker = new Worker(
    URL.createObjectURL(
      new Blob(["onmessage = ({ data }) => postMessage(data);"], { type: "text/javascript" }),
    ),
    { type: "module" },
  );

  ask(message: unknown): Promise<unknown> {
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
  const ask = (id: number) => echo.ask({ id, call: "run", budgetMs: BUDGET_MS });
  for (let id = 0; id < WARM_UP_ROUNDS; id++) await ask(id);
  b.start();
  for (let id = 0; id < ROUNDS; id++) await ask(id);
  b.end();
  echo.close();
});

Deno.bench("runs on v86", group, async (b) => {
  const { guest } = await guests.create(program("notifier"), IDENTITY);
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await guest.run(BUDGET_MS);
  b.start();
  for (let i = 0; i < ROUNDS; i++) await guest.run(BUDGET_MS);
  b.end();
  guests.delete("notifier", { ownerToken: undefined, force: true });
});

const life = { group: "make a guest of 4 MiB and delete it" };

Deno.bench("a Worker that answers once", { ...life, baseline: true }, async () => {
  const echo = new Echo();
  await echo.ask(0);
  echo.close();
});

Deno.bench("a guest on v86", life, async () => {
  await guests.create(program("short"), IDENTITY);
  guests.delete("short", { ownerToken: undefined, force: true });
});
