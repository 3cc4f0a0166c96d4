/**
 * Range reads of cached bytes over HTTP beside nginx (one worker, sendfile, the same file), and
 * the way round HTTP: another process reads what a translation names. Medians of rounds that take
 * turns. Needs nginx and wrk; run with `deno run -A bench/load/inodes_http.ts`.
 *
 * @module
 */
import { MIB } from "../../src/core/limits.ts";
import { Daemon } from "../../tests/support/daemon.ts";
import { median, write } from "./measure.ts";

const FILE_BYTES = 16 * MIB;
const ROUNDS = 5;
const SIZES = [4096, 65_536, MIB];
const PORT = 18_080;

function has(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["-v"], stdout: "null", stderr: "null" })
      .outputSync() !== undefined;
  } catch {
    return false;
  }
}

/** Requests per second of one round, each at a random offset. */
async function wrk(url: string, script: string, token?: string): Promise<number> {
  const auth = token === undefined ? [] : ["-H", `Authorization: Bearer ${token}`];
  const { stdout } = await new Deno.Command("wrk", {
    args: ["-t1", "-c16", "-d1s", "-s", script, ...auth, url],
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (/Non-2xx/.test(text)) throw new Error(text);
  return Number(/Requests\/sec:\s+([0-9.]+)/.exec(text)?.[1]);
}

/** A wrk script that asks for random aligned ranges. */
function scriptOf(folder: string, bytes: number): string {
  const path = `${folder}/range-${bytes}.lua`;
  Deno.writeTextFileSync(
    path,
    `local ranges = {}
for i = 1, 997 do
  local at = math.random(0, ${FILE_BYTES / bytes - 1}) * ${bytes}
  ranges[i] = "bytes=" .. string.format("%d-%d", at, at + ${bytes - 1})
end
local n = 0
local requests = {}
init = function(args)
  for i = 1, #ranges do
    wrk.headers["Range"] = ranges[i]
    requests[i] = wrk.format("GET", wrk.path)
  end
end
request = function()
  n = n % #requests + 1
  return requests[n]
end
`,
  );
  return path;
}

/** Random pages per second that another process reads through a mapping of its own. */
async function mappedReads(file: string, bytes: number): Promise<number> {
  const reader = new URL("inodes_mapper.ts", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", reader, file, String(bytes)],
  }).output();
  const perSecond = Number(new TextDecoder().decode(stdout));
  if (!(perSecond > 0)) throw new Error(new TextDecoder().decode(stderr));
  return perSecond;
}

async function main(): Promise<void> {
  if (!has("nginx") || !has("wrk")) {
    await write("skipped: nginx or wrk is missing (apt-get install nginx-light wrk)");
    return;
  }
  const folder = Deno.makeTempDirSync();
  Deno.mkdirSync(`${folder}/www`);
  const part = new Uint8Array(MIB).map((_, at) => at % 251);
  using file = Deno.createSync(`${folder}/www/f`);
  for (let at = 0; at < FILE_BYTES; at += MIB) file.writeSync(part);
  Deno.writeTextFileSync(
    `${folder}/nginx.conf`,
    `worker_processes 1; daemon off; user root; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 256; }
http { sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000000; open_file_cache max=10;
  server { listen 127.0.0.1:${PORT}; root ${folder}/www; } }`,
  );
  Deno.chmodSync(folder, 0o755);
  const nginx = new Deno.Command("nginx", { args: ["-c", `${folder}/nginx.conf`] }).spawn();
  try {
    await using daemon = await Daemon.start({ args: ["--root", `www=${folder}/www`] });
    const ids: Record<string, string> = {};
    for (const cache of ["own", "host"]) {
      const { id } = await daemon.json(201, "POST", "/v1/inodes", {
        root: "www",
        path: cache === "own" ? "f" : "g",
        access: "rw",
        cache,
        create: "if-missing",
        holder: "bench",
      });
      ids[cache] = id;
      if (cache === "host") {
        for (let at = 0; at < FILE_BYTES; at += MIB) {
          await daemon.fetch(`/v1/inodes/${id}/ranges/${at}-${at + MIB - 1}`, {
            method: "PUT",
            body: part,
            headers: { "content-type": "application/octet-stream" },
          });
        }
      }
      await (await daemon.fetch(`/v1/inodes/${id}/data`)).arrayBuffer();
    }
    for (const bytes of SIZES) {
      const script = scriptOf(folder, bytes);
      const ratios: Record<string, number[]> = { own: [], host: [] };
      const peers: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const peer = await wrk(`http://127.0.0.1:${PORT}/f`, script);
        peers.push(peer);
        for (const [cache, id] of Object.entries(ids)) {
          const ours = await wrk(`${daemon.url}/v1/inodes/${id}/data`, script, daemon.token);
          ratios[cache]?.push(ours / peer);
        }
      }
      const shown = Object.entries(ratios)
        .map(([cache, values]) => `${cache} ${median(values).toFixed(2)} x`).join(", ");
      await write(`${bytes} bytes: nginx ${median(peers).toFixed(0)}/s, ${shown}`);
      if (bytes === 4096) {
        const range = { offset: 0, length: FILE_BYTES };
        await daemon.json(201, "POST", `/v1/inodes/${ids["own"]}/mappings`, {
          space: "bench",
          address: 0,
          ...range,
          writable: false,
        });
        const { translations: [place] } = await daemon.json(
          200,
          "POST",
          `/v1/inodes/${ids["own"]}/translate`,
          { required: range, access: "read", holder: "bench" },
        );
        const pages = await mappedReads(place.file, FILE_BYTES);
        await write(
          `4096 bytes through a mapping: ${pages.toFixed(0)}/s, ${
            (pages / median(peers)).toFixed(0)
          } x`,
        );
      }
    }
  } finally {
    nginx.kill("SIGTERM");
    await nginx.status;
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
