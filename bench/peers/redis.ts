import { freePort } from "../../tests/support/port.ts";
import { missingProgram } from "../../tests/support/skip.ts";
import { end, firstLine, spawn } from "../load/measure.ts";
import { RedisConnection } from "./redis_wire.ts";
import { answering, type Peer, server } from "./side.ts";

/**
 * Bump by INCR and PUBLISH, confirmations by INCR; who makes the count whole pushes to a list that
 * the bumper waits for. Nothing is written to disk, which is to Redis' favour.
 */
export const redis: Peer = {
  name: "redis",
  missing: missingProgram("redis-server"),
  async start(count) {
    const port = freePort();
    const running = await server("redis-server", () => [
      ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      ...["--maxclients", String(count + 100)],
    ]);
    await answering(async () => (await RedisConnection.open(port)).close());
    const clients = spawn("./redis_clients.ts", [String(port), String(count)]);
    if (await firstLine(clients) !== "connected") throw new Error("the clients did not connect");
    const bumper = await RedisConnection.open(port);
    return {
      name: "redis",
      async bump() {
        const start = performance.now();
        const generation = String(await bumper.send("INCR", "generation"));
        const notified = await bumper.send("PUBLISH", "generations", generation);
        if (notified !== count) throw new Error(`${notified} of ${count} were notified`);
        const done = await bumper.send("BLPOP", `done:${generation}`, "60");
        if (done === null) throw new Error("not all have confirmed in time");
        return performance.now() - start;
      },
      async stop() {
        bumper.close();
        await end(clients);
        await running[Symbol.asyncDispose]();
      },
    };
  },
};
