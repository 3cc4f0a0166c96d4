/**
 * The long forms of what the suite does shortly, for a machine that is left alone with them.
 *
 * Run with `deno run -A tests/soak/inodes.ts kill [ROUNDS]`, `… lives [LIVES]`, `… budget`,
 * `… slow` or `… slow-http`. Each prints a line and ends with status 0, or throws.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { MIB } from "../../src/core/limits.ts";
import { killRound } from "../support/inode_kill.ts";
import { runInodeScript } from "../support/inode_script.ts";
import {
  HostStore,
  MemoryStore,
  openInode,
  PAGE,
  pattern,
  readOf,
} from "../support/inode_store.ts";
import { testSeed } from "../support/random.ts";
import { besideSlowBacking } from "../support/slow_backing.ts";

async function kill(rounds = 200): Promise<string> {
  const seed = testSeed();
  let restored = 0;
  for (let round = 0; round < rounds; round++) restored += await killRound(seed + round);
  return `${rounds} rounds of kill -9 from seed ${seed}: ${restored} had dirty bytes, all are there`;
}

async function lives(count = 100_000): Promise<string> {
  const seed = testSeed();
  for (let life = 0; life < count; life++) {
    await runInodeScript(seed + life).catch((cause) => {
      throw new Error(`INNKEEPER_TEST_SEED=${seed + life}`, { cause });
    });
  }
  return `${count} lives from seed ${seed} were those of a plain file`;
}

/** Reads and writes 512 MiB of files through 64 MiB of cache. */
async function budget(): Promise<string> {
  const budgetBytes = 64 * MIB;
  await using host = new HostStore({ cacheBytes: budgetBytes });
  const part = new Uint8Array(256 * 1024);
  for (let file = 0; file < 8; file++) {
    using made = await Deno.create(host.path(`f${file}`));
    part.fill(file + 1);
    for (let at = 0; at < 64 * MIB; at += part.byteLength) await made.write(part);
  }
  let most = 0;
  const before = Deno.memoryUsage().rss;
  const inodes = await Promise.all(
    [...Array(8).keys()].map((file) => openInode(host.store, { path: `f${file}` })),
  );
  for (let at = 0; at < 64 * MIB; at += 256 * 1024) {
    for (const [file, inode] of inodes.entries()) {
      assertEquals(await inode.read(part, BigInt(at)), part.byteLength);
      assert(part.every((byte) => byte === file + 1));
      if (at % (4 * MIB) === 0) await inode.write(new Uint8Array(PAGE).fill(file + 1), BigInt(at));
    }
    const { residentBytes } = host.store.stats();
    assert(residentBytes <= BigInt(budgetBytes), `${residentBytes} bytes are cached`);
    most = Math.max(most, Deno.memoryUsage().rss - before);
  }
  assert(most <= budgetBytes + 64 * MIB, `${most} bytes of memory`);
  return `512 MiB through a budget of 64 MiB: at most ${Math.round(most / MIB)} MiB of memory`;
}

/** Two seconds for each call of one file, and how late the event loop comes meanwhile. */
async function slow(): Promise<string> {
  const memory = new MemoryStore();
  const node = memory.root.put("slow", pattern(40 * PAGE));
  node.before = () => delay(2000);
  memory.root.put("f", pattern(40 * PAGE));
  const hanging = await openInode(memory.store, { path: "slow" });
  const waiting = [...Array(20).keys()].map((at) => readOf(hanging, at * PAGE, 10));
  const inode = await openInode(memory.store);
  const lateMs: number[] = [];
  for (const end = performance.now() + 1500; performance.now() < end;) {
    const start = performance.now();
    assertEquals(await readOf(inode, 5, 10), pattern(40 * PAGE).subarray(5, 15));
    await inode.write(pattern(10), 100n);
    await delay(1);
    lateMs.push(performance.now() - start - 1);
  }
  await Promise.all(waiting);
  const p99 = lateMs.sort((a, b) => a - b)[Math.floor(lateMs.length * 0.99)] ?? 0;
  assert(p99 < 20, `${p99} ms`);
  return `beside a file of 2 s a call the event loop is ${p99.toFixed(1)} ms late (p99)`;
}

/** The same over HTTP: how long every other request takes. */
async function slowHttp(): Promise<string> {
  const { tookMs } = await besideSlowBacking();
  const p99 = tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length * 0.99)] ?? 0;
  assert(p99 < 20, `${p99} ms`);
  return `${tookMs.length} requests beside a server of 2 s a call: ${p99.toFixed(1)} ms (p99)`;
}

const SOAKS: Readonly<Record<string, (count?: number) => Promise<string>>> = {
  kill,
  lives,
  budget,
  slow,
  "slow-http": slowHttp,
};

if (import.meta.main) {
  const [name = "", count] = Deno.args;
  const soak = SOAKS[name];
  if (soak === undefined) throw new Error(`known are ${Object.keys(SOAKS).join(", ")}`);
  const line = await soak(count === undefined ? undefined : Number(count));
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}
