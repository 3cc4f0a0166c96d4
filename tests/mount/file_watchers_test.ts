import { assertEquals, assertRejects } from "@std/assert";
import { admin } from "../../src/access/tokens.ts";
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { Scopes } from "../../src/generations/scopes.ts";
import { FileWatchers } from "../../src/mount/file_watchers.ts";
import type { FileId, FilesInUse } from "../../src/native/open_files.ts";
import { CollectedEvents } from "../support/events.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { MemoryPages } from "../support/page_folder.ts";

const PROCESS = {
  pid: 7,
  comm: "app",
  capabilities: 0n,
  isOurNamespace: true,
  startTicks: "100",
} as const;
const DEVICE = 45n;
const BY = admin("test");
const NOBODY: FilesInUse = { found: new Set(), unseenTicks: undefined };

/** The daemon after a crash, with the tracked file of one process; `inUse` is what /proc shows. */
async function restarted(
  inUse: (files: ReadonlySet<FileId>) => FilesInUse,
  { boot = "b", device = 46n, unseen = false } = {},
): Promise<{ scopes: Scopes; files: FileWatchers }> {
  const ledger = new MemoryLedger();
  const open = (): Promise<Scopes> =>
    Scopes.open({
      ledger,
      events: new CollectedEvents(),
      clock: systemClock,
      random: systemRandom,
      pages: new MemoryPages(),
    });
  const search = {
    filesInUse: (wanted: ReadonlySet<FileId>) => Promise.resolve().then(() => inUse(wanted)),
  };
  const first = await open();
  await first.put("s", DEFAULT_OPTIONS);
  const earlier = new FileWatchers(first, search, { device: DEVICE, boot: "b" });
  const { id } = await earlier.open(first.get("s"), "app-7", unseen ? undefined : PROCESS, BY);
  await first.get("s").watchers.track(id, true);
  await first.close();
  const scopes = await open();
  return { scopes, files: new FileWatchers(scopes, search, { device, boot }) };
}

const TABLE: readonly (readonly [string, Parameters<typeof restarted>, number])[] = [
  ["nobody has the file: it is released", [() => NOBODY], 0],
  ["a process began before it that may not be looked at: it is released", [
    () => ({ found: new Set(), unseenTicks: 99n }),
  ], 0],
  ["one began after it that may not be looked at: it is held", [
    () => ({ found: new Set(), unseenTicks: 100n }),
  ], 1],
  ["the opener could not be seen and neither can another: it is held", [
    () => ({ found: new Set(), unseenTicks: 1n }),
    { unseen: true },
  ], 1],
  ["another boot: it is released, whatever has its device number now", [
    () => {
      throw new Error("nobody is looked for");
    },
    { boot: "c" },
  ], 0],
  ["this mount has got its device number again: it is released", [
    () => {
      throw new Error("nobody is looked for");
    },
    { device: DEVICE },
  ], 0],
];

for (const [name, [inUse, options], held] of TABLE) {
  Deno.test(`FileWatchers.releaseGone(): ${name}`, async () => {
    const { scopes, files } = await restarted(inUse, options);
    assertEquals(await files.releaseGone(), held);
    assertEquals(scopes.get("s").state.counts.tracked, held);
    await scopes.close();
  });
}

Deno.test("FileWatchers.releaseGone(): a process that has the file holds it, one with another does not", async () => {
  const { scopes, files } = await restarted((wanted) => ({
    found: wanted,
    unseenTicks: undefined,
  }));
  assertEquals(await files.releaseGone(), 1);
  await scopes.close();
  const others = { found: new Set(["45:1"] as const), unseenTicks: undefined };
  const again = await restarted(() => others);
  assertEquals(await again.files.releaseGone(), 0);
  await again.scopes.close();
});

Deno.test("FileWatchers.releaseGone(): when nobody can look, all are held", async () => {
  const { scopes, files } = await restarted(() => {
    throw new SystemError("EMFILE", "open", "/proc/1/fd");
  });
  await assertRejects(() => files.releaseGone(), SystemError);
  assertEquals(scopes.get("s").state.counts.tracked, 1);
  await scopes.close();
});

Deno.test("FileWatchers.open(): only the process itself takes the place of its earlier file", async () => {
  const { scopes, files } = await restarted(() => NOBODY);
  const scope = scopes.get("s");
  await files.open(scope, "unseen-0", undefined, BY);
  await files.open(scope, "app-7", { ...PROCESS, startTicks: "101" }, BY);
  assertEquals(scope.state.counts.tracked, 1);
  await files.open(scope, "app-7", PROCESS, BY);
  assertEquals(scope.state.counts, { watchers: 3, tracked: 0, outdated: 0 });
  await scopes.close();
});
