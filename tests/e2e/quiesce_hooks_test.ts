import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { retry } from "@std/async";
import { taskArgs } from "../support/command_line.ts";
import { Daemon } from "../support/daemon.ts";

const SCOPE = "/v1/scopes/vm-7";

/** `innkeeper watch` with these flags more. */
function watch(daemon: Daemon, ...flags: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...taskArgs("innkeeper"), "watch", "vm-7", "--name", "app", "--exec", "true"]
      .concat(["--socket", daemon.socketPath, ...flags]),
    cwd: new URL("../..", import.meta.url),
    env: { XDG_STATE_HOME: `${daemon.folder}/home` },
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function ended(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await child.status;
}

async function watched(daemon: Daemon): Promise<void> {
  await retry(async () => {
    assertEquals((await daemon.json(200, "GET", SCOPE)).tracked, 1);
  }, { minTimeout: 20, maxTimeout: 100, maxAttempts: 200 });
}

const quiesce = { reason: "snapshot", maxMs: 60_000 };
const bump = { reason: "restore" };

Deno.test("innkeeper watch --on-quiesce --on-resume runs both, and a scope that requires it is bumped then", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", SCOPE, { requireQuiesce: true });
  const log = `${daemon.folder}/log`;
  const child = watch(
    ...[daemon, "--on-quiesce", `echo "still $INNKEEPER_REASON" >> ${log}`] as const,
    ...["--on-resume", `echo "on $INNKEEPER_SCOPE" >> ${log}`],
  );
  await watched(daemon);
  // A watcher whose connection is lost meanwhile has to come back first.
  await retry(async () => {
    await daemon.json(202, "POST", `${SCOPE}/quiesce`, quiesce);
    const done = await daemon.fetch(`${SCOPE}/quiesce`, { headers: { prefer: "wait=5" } });
    assertEquals(done.status, 204, await done.text());
  }, { minTimeout: 20, maxAttempts: 8 });
  assertStringIncludes(await Deno.readTextFile(log), "still snapshot\n");
  await daemon.json(201, "POST", `${SCOPE}/bumps`, bump);
  await retry(async () => {
    assert((await Deno.readTextFile(log)).endsWith("still snapshot\non vm-7\n"));
  }, { minTimeout: 20, maxTimeout: 100, maxAttempts: 200 });
  await retry(() => daemon.json(204, "GET", `${SCOPE}/barrier`), {
    ...{ minTimeout: 20, maxTimeout: 100, maxAttempts: 200 },
  });
  await ended(child);
});

Deno.test("innkeeper watch that has nothing to stop, or fails to, is named as one that cannot quiesce", async () => {
  for (
    const [flags, why] of [[[], "nothing"], [["--on-quiesce", "exit 3"], "ended with 3"]] as const
  ) {
    await using daemon = await Daemon.start();
    await daemon.json(201, "PUT", SCOPE, { requireQuiesce: true });
    const child = watch(daemon, ...flags);
    await watched(daemon);
    await retry(async () => {
      await daemon.json(202, "POST", `${SCOPE}/quiesce`, quiesce);
      const refused = await daemon.fetch(`${SCOPE}/quiesce`, { headers: { prefer: "wait=5" } });
      const { code, watchers } = await refused.json();
      assertEquals([refused.status, code, watchers[0].name], [409, "not-quiesced", "app"]);
      assertStringIncludes(watchers[0].cannotQuiesce ?? "", why);
    }, { minTimeout: 1_000, maxAttempts: 20 });
    assertEquals((await daemon.json(409, "POST", `${SCOPE}/bumps`, bump)).code, "not-quiesced");
    await daemon.json(201, "POST", `${SCOPE}/bumps`, { ...bump, force: true });
    await ended(child);
  }
});
