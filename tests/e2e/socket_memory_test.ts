import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { Daemon } from "../support/daemon.ts";

const MIB = 1024 * 1024;
/** What the daemon may grow by while somebody tries to make it grow. */
const GROWTH_BYTES_MAX = 256 * MIB;

async function residentBytes(daemon: Daemon): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${daemon.child.pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) * 1024;
}

/** Opens a watch socket by hand. */
async function openSocket(daemon: Daemon, transport: "tcp" | "unix"): Promise<Deno.Conn> {
  const connection = transport === "unix"
    ? await Deno.connect({ transport, path: daemon.socketPath })
    : await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(daemon.url).port) });
  const head = [
    ...["GET /v1/watch HTTP/1.1", "host: localhost", "upgrade: websocket", "connection: upgrade"],
    `authorization: Bearer ${daemon.token}`,
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol: innkeeper.watch.v1",
  ];
  await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer) ?? 0;
  const answer = new TextDecoder().decode(buffer.subarray(0, count));
  assert(answer.startsWith("HTTP/1.1 101 "), answer);
  return connection;
}

/** A frame of a message that goes on: text or continuation, masked with zeros, never final. */
function fragment(isFirst: boolean, bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(14 + bytes).fill(0x61, 14);
  frame[0] = isFirst ? 0x01 : 0x00;
  frame[1] = 0x80 | 127;
  new DataView(frame.buffer).setBigUint64(2, BigInt(bytes));
  return frame;
}

for (const transport of ["tcp", "unix"] as const) {
  Deno.test(`an endless message over ${transport} ends its connection, and its memory is freed`, async () => {
    await using daemon = await Daemon.start();
    const before = await residentBytes(daemon);
    using connection = await openSocket(daemon, transport);
    let sent = 0;
    let most = 0;
    const flood = (async () => {
      try {
        for (let n = 0; sent < 4096 * MIB; n++) {
          const frame = fragment(n === 0, MIB);
          for (let at = 0; at < frame.length;) at += await connection.write(frame.subarray(at));
          sent += MIB;
          if (n % 16 === 0) most = Math.max(most, await residentBytes(daemon));
        }
      } catch {
        // It was ended.
      }
    })();
    await deadline(flood, 30_000);
    assert(sent < 4096 * MIB, "nobody ended it");
    assert(most - before < GROWTH_BYTES_MAX, `it grew by ${(most - before) / MIB} MiB`);
    // Another client's socket is none the worse.
    const client = await daemon.watch();
    assertEquals((await client.watchScope("system", "a"))["type"], "watching");
  });
}
