import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { MIB } from "../../src/core/limits.ts";
import { Daemon } from "../support/daemon.ts";
import { missingMount } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";
import { StuckDisk } from "../support/stuck_disk.ts";

const STUCK_CALLS = 200;
const SAMPLES = 150;
const PAGE = 4096;
const STOP_MS = 10_000;
/** What a shared machine adds to any request now and then. */
const NOISE_MS = 25;

/** The 95th percentile of how long requests take that need the storage of another root. */
async function p95(daemon: Daemon, inode: string, from: number): Promise<number> {
  const tookMs: number[] = [];
  for (let at = from; at < from + SAMPLES; at++) {
    const startMs = performance.now();
    const response = await daemon.fetch(`${inode}/data`, {
      headers: { range: `bytes=${at * 16 * PAGE}-${at * 16 * PAGE + 9}` },
    });
    assertEquals((await response.bytes()).byteLength, 10);
    const written = await daemon.fetch(`${inode}/ranges/${at * PAGE}-${at * PAGE}?durable=true`, {
      method: "PUT",
      body: new Uint8Array(1),
      headers: { "content-type": "application/octet-stream" },
    });
    assertEquals(written.status, 204);
    tookMs.push(performance.now() - startMs);
  }
  return tookMs.sort((a, b) => a - b)[Math.floor(SAMPLES * 0.95)] ?? 0;
}

testWhere(
  "200 calls on storage that never answers leave other roots as fast as they were, and the daemon ends",
  missingMount(),
  async () => {
    await using disk = await StuckDisk.mount();
    const folder = await Deno.makeTempDir();
    await Deno.writeFile(`${folder}/f`, new Uint8Array(2 * SAMPLES * 16 * PAGE));
    await using daemon = await Daemon.start({
      args: ["--root", `slow=${disk.folder}`, "--root", `r=${folder}`],
    });
    const open = async (root: string, path: string, cache: string): Promise<string> => {
      const request = { root, path, access: "rw", cache, holder: "test" };
      return `/v1/inodes/${(await daemon.json(201, "POST", "/v1/inodes", request)).id}`;
    };
    const other = await open("r", "f", "own");
    const before = await p95(daemon, other, 0);
    const ending = new AbortController();
    const stuck: Promise<unknown>[] = [];
    const files: string[] = [];
    for (const cache of ["own", "host"]) {
      for (let at = 0; at < 10; at++) files.push(await open("slow", `stuck-${cache}-${at}`, cache));
    }
    for (let at = 0; at < STUCK_CALLS / files.length; at++) {
      const headers = { range: `bytes=${at * MIB}-${at * MIB + 9}` };
      for (const file of files) {
        const { signal } = ending;
        stuck.push(daemon.fetch(`${file}/data`, { headers, signal }).catch(() => {}));
      }
    }
    assertEquals(stuck.length, STUCK_CALLS);
    const during = await p95(daemon, other, SAMPLES);
    assert(during < 2 * before + NOISE_MS, `p95 was ${before} ms, and is ${during} ms`);
    await deadline(daemon.stop(), STOP_MS);
    ending.abort();
    await Promise.all(stuck);
  },
);
