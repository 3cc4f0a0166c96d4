/**
 * Many watchers of an etcd in one process: `etcd_clients.ts URL COUNT`. Each has a stream of its
 * own and confirms at once what it is told. Prints a line when all watch.
 */
import { put, watch } from "./etcd_gateway.ts";

const [base = "", count = "0"] = Deno.args;
/** Puts under way at once: beyond that each would open one more connection. */
const PUTS_MAX = 128;
const waiting: (() => Promise<void>)[] = [];
let running = 0;

async function work(): Promise<void> {
  running++;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
  running--;
}

function confirm(name: string, generation: string): void {
  waiting.push(() => put(base, `ack/${name}`, generation));
  if (running < PUTS_MAX) void work();
}

for (let done = 0; done < Number(count); done += 100) {
  const some = Math.min(100, Number(count) - done);
  await Promise.all(Array.from({ length: some }, (_, n) => {
    const name = `w${done + n}`;
    return watch(base, "generation", ({ value }) => confirm(name, value));
  }));
}
await Deno.stdout.write(new TextEncoder().encode("connected\n"));
