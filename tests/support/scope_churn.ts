import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { MIB } from "../../src/core/limits.ts";
import { Daemon } from "./daemon.ts";
import { PageProbe } from "./page_probe.ts";

const AT_ONCE = 32;
const LEDGER_BYTES_MAX = 64 * MIB;
const MEMORY_BYTES_MAX = 192 * MIB;

const filesIn = (folder: string): number => [...Deno.readDirSync(folder)].length;

/** Bytes of memory that a process has. */
function residentBytes(pid: number): number {
  const [, kib = "0"] = /VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  return Number(kib) * 1024;
}

/**
 * Makes scopes with a bump and a watcher, and deletes them: what stays is bounded on disk, in memory
 * and in descriptors. One page is mapped all the time, and that one stays.
 *
 * @returns What was measured
 */
export async function churnScopes(count: number): Promise<Record<string, number>> {
  await using daemon = await Daemon.start();
  const { pid } = daemon.child;
  const churn = async (name: string): Promise<void> => {
    const scope = `/v1/scopes/${name}`;
    await daemon.json(201, "PUT", scope, {});
    await daemon.json(201, "PUT", `${scope}/watchers/app`, { track: true });
    await daemon.json(201, "POST", `${scope}/bumps`, { reason: "churn" });
    await daemon.json(204, "DELETE", `${scope}/watchers/app`);
    await daemon.json(204, "DELETE", scope);
  };
  await daemon.json(201, "PUT", "/v1/scopes/mapped", {});
  await using probe = PageProbe.start(
    await PageProbe.compile(),
    `${daemon.pageFolder}/mapped/sysgenid`,
  );
  assertEquals(await probe.read(), 0);
  await daemon.json(204, "DELETE", "/v1/scopes/mapped");
  for (let n = 0; n < AT_ONCE; n++) await churn(`warm-${n}`);
  const [files, memory] = [filesIn(`/proc/${pid}/fd`), residentBytes(pid)];
  for (let n = 0; n < count; n += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, at) => churn(`s-${n + at}`)),
    );
  }
  await retry(() => assertEquals(filesIn(daemon.pageFolder), 2), {
    ...{ minTimeout: 200, maxTimeout: 1_000, maxAttempts: 120 },
  });
  const measured = {
    files: filesIn(`/proc/${pid}/fd`) - files,
    memoryBytes: residentBytes(pid) - memory,
    ledgerBytes: [...Deno.readDirSync(`${daemon.folder}/state`)]
      .filter(({ name }) => name.startsWith("ledger"))
      .reduce((sum, { name }) => sum + Deno.statSync(`${daemon.folder}/state/${name}`).size, 0),
  };
  assert(measured.files <= AT_ONCE, `${measured.files} files stay open`);
  assert(measured.memoryBytes < MEMORY_BYTES_MAX, `${measured.memoryBytes} bytes of memory stay`);
  assert(measured.ledgerBytes < LEDGER_BYTES_MAX, `the ledger has ${measured.ledgerBytes} bytes`);
  // The mapped page is the same one, and its counter goes on.
  const again = await daemon.json(201, "PUT", "/v1/scopes/mapped", {});
  assertEquals([again.generation, await probe.read()], [1, 1]);
  const fresh = await daemon.json(201, "PUT", "/v1/scopes/s-0", {});
  assert(BigInt(fresh.epoch) > 1n, `a scope began at epoch ${fresh.epoch} once more`);
  assertEquals(fresh.generation, 0);
  return measured;
}
