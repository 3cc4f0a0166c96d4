import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { retry } from "@std/async";
import { Daemon } from "../support/daemon.ts";

const ROOT = new URL("../..", import.meta.url);

function command(daemon: Daemon, token: string, ...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-P=command", "src/cli/main.ts", ...args],
    cwd: ROOT,
    env: { INNKEEPER_URL: daemon.url, INNKEEPER_TOKEN: token, HOME: daemon.folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("innkeeper watch works with the permission to watch that scope alone", async () => {
  await using daemon = await Daemon.start();
  const tokens = `${daemon.folder}/state/token`;
  await Deno.writeTextFile(tokens, `${daemon.token}\nnarrow name=agent watch:vm-7\n`);
  daemon.child.kill("SIGHUP");
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  const child = command(daemon, "narrow", "watch", "vm-7", "--name", "app", "--exec", "true")
    .spawn();
  await retry(async () => {
    const { items } = await daemon.json(200, "GET", "/v1/scopes/vm-7/watchers");
    assertEquals(items.map(({ owner }: { owner: string }) => owner), ["agent"]);
  }, { minTimeout: 50, maxTimeout: 100, maxAttempts: 100 });
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
  const barrier = await daemon.fetch("/v1/scopes/vm-7/barrier?atLeast=1", {
    headers: { prefer: "wait=20" },
  });
  assertEquals(barrier.status, 204);
  child.kill("SIGTERM");
  await child.output();
  const other = await command(daemon, "narrow", "watch", "vm-8", "--name", "a", "--json").output();
  assert(other.code !== 0);
  assertStringIncludes(new TextDecoder().decode(other.stderr), "watch");
});
