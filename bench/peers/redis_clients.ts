/**
 * Many watchers of a Redis in one process: `redis_clients.ts PORT COUNT`. Each has a connection of
 * its own and confirms at once what it is told. Prints a line when all have subscribed.
 */
import { RedisConnection } from "./redis_wire.ts";

const [port = "", count = "0"] = Deno.args;

async function connect(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const connection = await RedisConnection.open(Number(port), ([kind, , text]) => {
    if (kind === "subscribe") return resolve();
    void confirm(String(text));
  });
  const confirm = async (generation: string): Promise<void> => {
    const confirmed = await connection.send("INCR", `acks:${generation}`);
    if (confirmed === Number(count)) await connection.send("RPUSH", `done:${generation}`, "all");
  };
  await connection.subscribe("generations");
  await promise;
}

for (let done = 0; done < Number(count); done += 100) {
  await Promise.all(Array.from({ length: Math.min(100, Number(count) - done) }, connect));
}
await Deno.stdout.write(new TextEncoder().encode("connected\n"));
