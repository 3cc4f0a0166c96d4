import { delay } from "@std/async";
import { Daemon } from "./daemon.ts";

const SLOW_MS = 2000;
const BYTES = 4 * 1024 * 1024;

/** What others saw of a daemon while a backing took two seconds for each call. */
export interface Beside {
  /** Milliseconds that each request took that had nothing to do with the slow backing. */
  readonly tookMs: readonly number[];
  /** How many reads of the slow backing were under way all that time. */
  readonly hanging: number;
  /** Whether every one of those had its bytes in the end. */
  readonly areAllThere: boolean;
}

/** A server of one file that takes two seconds for each answer. */
function slowServer(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    await delay(SLOW_MS);
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
    const [first, last] = range === null ? [0, BYTES - 1] : [Number(range[1]), Number(range[2])];
    const end = Math.min(last, BYTES - 1);
    return new Response(
      request.method === "HEAD" ? null : new Uint8Array(end - first + 1).fill(7),
      {
        status: range === null ? 200 : 206,
        headers: {
          etag: '"1"',
          "accept-ranges": "bytes",
          ...(request.method === "HEAD" ? { "content-length": String(BYTES) } : {}),
          ...(range === null ? {} : { "content-range": `bytes ${first}-${end}/${BYTES}` }),
        },
      },
    );
  });
}

/** Reads a slow backing over HTTP, and meanwhile everything else. */
export async function besideSlowBacking(): Promise<Beside> {
  await using server = slowServer();
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/f`, new Uint8Array(BYTES).fill(5));
  const prefix = `http://127.0.0.1:${server.addr.port}/`;
  await using daemon = await Daemon.start({
    args: ["--root", `r=${folder}`, "--remote", prefix],
  });
  const request = { root: "r", path: "f", access: "rw", cache: "own", holder: "test" };
  const { id } = await daemon.json(201, "POST", "/v1/inodes", request);
  const slow = await daemon.json(201, "POST", "/v1/inodes", { url: `${prefix}x`, holder: "test" });
  await daemon.json(201, "PUT", "/v1/scopes/s", {});
  let hanging = 0;
  const reads = Array.from({ length: 20 }, async (_, at) => {
    hanging++;
    const first = at * 200_000;
    const response = await daemon.fetch(`/v1/inodes/${slow.id}/data`, {
      headers: { range: `bytes=${first}-${first + 9}` },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    hanging--;
    return response.status === 206 && bytes.length === 10 && bytes.every((byte) => byte === 7);
  });
  // The daemon has them all before it is asked for anything else.
  await delay(100);
  const tookMs: number[] = [];
  let least = hanging;
  for (const end = performance.now() + SLOW_MS / 2; performance.now() < end;) {
    for (
      const call of [
        () =>
          daemon.fetch(`/v1/inodes/${id}/data`, {
            headers: { range: `bytes=${tookMs.length * 512}-${tookMs.length * 512 + 99}` },
          }),
        () =>
          daemon.fetch(`/v1/inodes/${id}/ranges/0-9`, {
            method: "PUT",
            body: new Uint8Array(10),
            headers: { "content-type": "application/octet-stream" },
          }),
        () => daemon.fetch("/v1/scopes/s"),
        () => daemon.fetch("/v1/guests"),
        () => daemon.fetch(`/v1/inodes/${slow.id}/stats`),
      ]
    ) {
      const start = performance.now();
      const response = await call();
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${response.status} ${response.url}`);
      tookMs.push(performance.now() - start);
      least = Math.min(least, hanging);
    }
  }
  const areAllThere = (await Promise.all(reads)).every((is) => is);
  await Deno.remove(folder, { recursive: true });
  return { tookMs, hanging: least, areAllThere };
}
