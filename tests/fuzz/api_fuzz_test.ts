import { assert, assertEquals } from "@std/assert";
import { Daemon, WatchClient } from "../support/daemon.ts";
import { SeededRandom, testSeed } from "../support/random.ts";
import { collectIds, Maker, operationsOf, requestOf } from "../support/request_maker.ts";

const REQUESTS = 5_000;
const FRAMES = 2_000;
const AT_ONCE = 8;
const HANG_MS = 20_000;

async function freshDaemon(): Promise<Daemon> {
  const images = await Deno.makeTempDir();
  await Deno.writeFile(`${images}/a`, new Uint8Array(10_000).fill(7));
  return await Daemon.start({ args: ["--root", `a=${images}`] });
}

Deno.test(`the daemon answers ${REQUESTS} random requests without a 500, a crash or a hang`, async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  await using daemon = await freshDaemon();
  const document = await (await daemon.fetch("/openapi.json")).json();
  const operations = operationsOf(document);
  const maker = new Maker(random, document.components?.schemas ?? {}, []);
  const statuses = new Map<number, number>();
  const untold = new Set<string>();
  let left = REQUESTS;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const operation = random.pick(operations);
      const { path, init } = requestOf(operation, maker);
      const what = `seed ${seed}: ${init.method} ${path} ${String(init.body).slice(0, 500)}`;
      const response = await daemon.fetch(path, { ...init, signal: AbortSignal.timeout(HANG_MS) })
        .catch((error) => Promise.reject(new Error(`${what}: ${error}`, { cause: error })));
      const text = await response.text();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      assert(response.status !== 500, `${what}: ${text}\n${daemon.log.slice(-2000)}`);
      if (response.status >= 400 && init.method !== "HEAD") {
        const problem = JSON.parse(text);
        assertEquals(problem.status, response.status, what);
        assert(typeof problem.code === "string" && typeof problem.detail === "string", what);
        const isElsewhere = problem.code === "no-such-path" ||
          problem.code === "method-not-allowed";
        if (!isElsewhere && !operation.codesOf(response.status).includes(problem.code)) {
          untold.add(`${operation.method} ${operation.path} ${response.status} ${problem.code}`);
        }
      } else if (response.headers.get("content-type")?.endsWith("json") === true) {
        collectIds(JSON.parse(text), maker.ids);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assertEquals([...untold].sort(), [], `seed ${seed}: codes that the document does not name`);
  const good = [...statuses].filter(([status]) => status < 300).reduce((sum, [, n]) => sum + n, 0);
  assert(good > REQUESTS / 50, `seed ${seed}: only ${good} requests got through: nothing is tried`);
  await daemon.json(200, "GET", "/readyz");
  assertEquals(await daemon.stop(), 0, `seed ${seed}`);
});

Deno.test(`the watch socket takes ${FRAMES} random frames without a crash or a hang`, async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  await using daemon = await freshDaemon();
  await daemon.json(201, "PUT", "/v1/scopes/vm-1", {});
  const maker = new Maker(random, {}, []);
  const frameSchema = {
    type: "object",
    required: ["type", "id"],
    properties: {
      type: {
        enum: ["watch", "ack", "fail", "quiesced", "unwatch", "attach", "drain", "ping", "fly"],
      },
      id: { type: "integer" },
      scope: { type: "string" },
      name: { type: "string" },
      track: { type: "boolean" },
      generation: { type: "integer" },
      epoch: { type: "integer" },
      token: { type: "string" },
      guest: { type: "string" },
      address: { type: "integer" },
      count: { type: "integer" },
    },
  };
  let client = await daemon.watch();
  let closes = 0;
  for (let sent = 0; sent < FRAMES; sent++) {
    const text = JSON.stringify(maker.value(frameSchema)) ?? "";
    client.socket.send(random.below(20) === 0 ? text.slice(1) : text);
    if (random.below(10) === 0) {
      await daemon.json(201, "POST", "/v1/scopes/vm-1/bumps", { reason: "x" });
    }
    if (random.below(4) !== 0) continue;
    const alive = await Promise.race([
      client.request({ type: "unwatch", scope: "nobody" }).then(() => true),
      client.closed.then((code) => {
        // 0: frames that were under way when the daemon hung up reset the connection.
        assert([4400, 4413, 4429, 0].includes(code), `seed ${seed}: closed with ${code}`);
        return false;
      }),
    ]);
    if (alive) continue;
    closes++;
    client = await WatchClient.open(daemon.url, daemon.token);
  }
  assert(closes > 0, `seed ${seed}: no frame was bad enough to end the connection`);
  client.socket.close();
  await client.closed;
  assertEquals(await daemon.stop(), 0, `seed ${seed}`);
});
