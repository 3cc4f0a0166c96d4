import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { Daemon } from "../support/daemon.ts";
import { Flood } from "../support/flood.ts";

/** How much longer `/healthz` may take than that of an idle daemon in the same moments. */
const HEALTH_MS = 100;
/**
 * The one flood behind which this takes longer: a thousand requests of a known caller at one moment
 * are begun before the next one (docs/bounds.md#connections). It is not held to the bound.
 */
const isBeyond = (limit: number, flood: string): boolean =>
  limit === 1024 && flood === "slow with a token";

/** Asks for the health on new connections, time after time, and returns the longest wait. */
async function worstHealthMs(port: number, forMs: number): Promise<number> {
  let worstMs = 0;
  for (const end = performance.now() + forMs; performance.now() < end;) {
    const startMs = performance.now();
    // On a busy machine this process may stand still before it has asked. It asks again then.
    while (!await isHealthy(port));
    worstMs = Math.max(worstMs, performance.now() - startMs);
    await delay(10);
  }
  return worstMs;
}

async function isHealthy(port: number): Promise<boolean> {
  const text = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(text));
    return (await new Response(connection.readable).text()).startsWith("HTTP/1.1 200 ");
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return false;
    throw error;
  }
}

for (const limit of [64, 256, 1024]) {
  Deno.test(`a daemon of ${limit} descriptors answers /healthz under every flood`, async () => {
    await using daemon = await Daemon.start({ limit: { files: limit } });
    await using idle = await Daemon.start();
    const port = Number(new URL(daemon.url).port);
    const token = `authorization: Bearer ${daemon.token}`;
    for (
      const [name, text] of [
        ["idle", ""],
        ["half-sent", "GET /healthz HTTP/1.1\r\nhost: loc"],
        ["half-sent with a token", `GET /v1/scopes HTTP/1.1\r\nhost: localhost\r\n${token}\r\n`],
        [
          "slow with a token",
          `POST /v1/scopes HTTP/1.1\r\nhost: localhost\r\n${token}\r\n` +
          "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
        ],
      ] as const
    ) {
      await using _flood = await Flood.start(port, { connections: limit + 128, text });
      const [worstMs, besideMs] = await Promise.all(
        [
          worstHealthMs(port, 1000),
          worstHealthMs(Number(new URL(idle.url).port), 1000),
        ] as const,
      );
      if (isBeyond(limit, name)) continue;
      assert(worstMs < HEALTH_MS + besideMs, `${name}: ${worstMs} ms, beside it ${besideMs} ms`);
    }
    // All is as before, for callers as well.
    for (let tries = 0;; tries++) {
      const { status } = await daemon.fetch("/v1/scopes");
      if (status === 200) break;
      assert(tries < 50, `still ${status} long after the floods`);
      await delay(100);
    }
    assertEquals(await daemon.stop(), 0, daemon.log);
    assert(daemon.log.includes(`"limit":${limit}`), `the start says what fits: ${daemon.log}`);
  });
}

Deno.test("inodes stay below the limit of descriptors, and the refusal says what to raise", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.mkdir(`${folder}/root`);
  const daemon = await Daemon.start({
    folder,
    limit: { files: 128 },
    args: ["--root", `r=${folder}/root`],
  });
  cleanUp.use(daemon);
  const open = (name: string): Promise<Response> =>
    daemon.fetch("/v1/inodes", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        ...{ root: "r", path: name, access: "rw", cache: "own", create: "exclusive", holder: "h" },
      }),
    });
  const opened: string[] = [];
  for (let n = 0; n < 50; n++) {
    const answer = await open(`f${n}`);
    const body = await answer.json();
    if (answer.status === 201) {
      opened.push(body.id);
      continue;
    }
    assertEquals([answer.status, body.code], [507, "open-inodes-exhausted"]);
    assert(/128 is the limit of the process: .*ulimit -n/.test(body.detail), body.detail);
    break;
  }
  assert(opened.length > 3 && opened.length < 20, `${opened.length} were opened`);
  await daemon.json(204, "DELETE", `/v1/inodes/${opened[0]}/holders/h`);
  assertEquals((await open("again")).status, 201);
  assertEquals(await daemon.stop(), 0, daemon.log);
});

Deno.test("a daemon that too few descriptors are left for says so in one line, and ends with 12", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  const { code, stderr } = await Daemon.command(folder, { limit: { files: 50 } }).output();
  await Deno.remove(folder, { recursive: true });
  const lines = new TextDecoder().decode(stderr).split("\n")
    .filter((line) => line !== "" && !line.includes("experimental feature"));
  assertEquals([code, lines.length], [12, 1], lines.join("\n"));
  assert(/^Cannot start with 50 file descriptors: .*ulimit -n/.test(lines[0] ?? ""), lines[0]);
});
