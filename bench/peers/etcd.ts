import { deadline } from "@std/async";
import { freePort } from "../../tests/support/port.ts";
import { missingProgram } from "../../tests/support/skip.ts";
import { end, firstLine, spawn } from "../load/measure.ts";
import { put, watch } from "./etcd_gateway.ts";
import { answering, type Peer, server } from "./side.ts";

const CONFIRMED_MS = 60_000;
const ACKS = "ack/";
/** The key after all that begin with {@linkcode ACKS}. */
const ACKS_END = "ack0";

/**
 * Bump by a put, watched by each watcher over a stream of its own; confirmations are puts, which
 * the bumper watches. etcd brings every put to stable storage.
 */
export const etcd: Peer = {
  name: "etcd",
  missing: missingProgram("etcd"),
  async start(count) {
    const [own, peer] = [`http://127.0.0.1:${freePort()}`, `http://127.0.0.1:${freePort()}`];
    const running = await server("etcd", (folder) => [
      ...["--data-dir", folder, "--log-level", "error", "--initial-cluster", `default=${peer}`],
      ...["--listen-client-urls", own, "--advertise-client-urls", own],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ]);
    await answering(() => put(own, "ready", "1"));
    const clients = spawn("./etcd_clients.ts", [own, String(count)]);
    if (await firstLine(clients) !== "connected") throw new Error("the clients did not connect");
    let generation = 0;
    let missing = 0;
    let settled: () => void = () => {};
    await watch(own, ACKS, ({ value }) => {
      if (value === String(generation) && --missing === 0) settled();
    }, ACKS_END);
    return {
      name: "etcd",
      async bump() {
        const all = Promise.withResolvers<void>();
        settled = all.resolve;
        missing = count;
        const start = performance.now();
        await put(own, "generation", String(++generation));
        await deadline(all.promise, CONFIRMED_MS);
        return performance.now() - start;
      },
      async stop() {
        await end(clients);
        await running[Symbol.asyncDispose]();
      },
    };
  },
};
