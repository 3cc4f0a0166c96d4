import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/cli/system.ts";
import { MOUNT_RESTARTS_MAX } from "../../src/core/limits.ts";
import { lendMount } from "../../src/mount/lend_mount.ts";
import { Libc } from "../../src/native/libc.ts";
import { missingMount, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

const DEAD_MS = 1_000;

/** Runs a launcher whose daemons are this script: `$1` is its pipe, `$2` a file for what it tells. */
async function lend(script: string): Promise<{
  readonly status: number;
  readonly written: readonly string[];
  readonly said: readonly string[];
  readonly folder: string;
}> {
  using libc = Libc.open();
  const folder = Deno.makeTempDirSync({ dir: "/tmp", prefix: "innkeeper-mount-" });
  const file = Deno.makeTempFileSync();
  const said: string[] = [];
  const status = await lendMount(libc, {
    folder,
    others: false,
    daemon: ({ beat }) => ({
      path: "/bin/bash",
      args: ["bash", "-c", script, "daemon", String(beat), file],
    }),
    env: { PATH: Deno.env.get("PATH") ?? "" },
    session: "test",
    deadMs: DEAD_MS,
    clock: systemClock,
    say: (text) => said.push(text),
    onSignal: () => {},
  });
  const { lines } = await run("stat", ["-f", "-c", "%T", folder]);
  const written = Deno.readTextFileSync(file).trimEnd().split("\n");
  Deno.removeSync(file);
  Deno.removeSync(folder);
  assert(lines[0] !== "fuseblk" && lines[0] !== "fuse", `still mounted: ${lines}`);
  return { status, written, said, folder };
}

testWhere(
  "lendMount(): a daemon that never serves is tried a few times, then the mount is given up",
  missingMount(),
  async () => {
    const { status, written, said } = await lend('echo start >> "$2"; exit 7');
    assertEquals(written.length, MOUNT_RESTARTS_MAX + 1);
    assertEquals(status, 7);
    assert(said.at(-1)?.startsWith("Cannot keep the mount: the daemon has ended with status 7"));
  },
);

testWhere(
  "lendMount(): a daemon that would end so again is not started again",
  missingMount(),
  async () => {
    const { status, written } = await lend('echo start >> "$2"; exit 3');
    assertEquals([status, written.length], [3, 1]);
  },
);

testWhere(
  `lendMount(): a daemon without a sign of life is killed after ${
    DEAD_MS / 1000
  } s, a stopped one is not`,
  missingMount(),
  async () => {
    // The first is stopped and goes on, says that it lives and then nothing; the second gives up.
    const script = `
      if [ -s "$2" ]; then echo second >> "$2"; exit 3; fi
      echo first >> "$2"
      printf '\\002' >&"$1"
      ( sleep ${2 * DEAD_MS / 1000}; kill -CONT $$ ) </dev/null >/dev/null 2>&1 &
      kill -STOP $$
      echo continued >> "$2"
      printf '\\002' >&"$1"
      sleep 60`;
    const startMs = performance.now();
    const { status, written, said } = await lend(script);
    const tookMs = performance.now() - startMs;
    assertEquals([status, written], [3, ["first", "continued", "second"]]);
    assert(said[0]?.startsWith("The daemon has not answered for 1 s"), said.join());
    assert(tookMs > 3 * DEAD_MS && tookMs < 10 * DEAD_MS, `${tookMs}`);
  },
);
