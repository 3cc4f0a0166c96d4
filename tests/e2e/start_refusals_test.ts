import { assert, assertEquals, assertMatch } from "@std/assert";
import { retry } from "@std/async";
import { EXIT } from "../../src/cli/exit.ts";
import { Daemon } from "../support/daemon.ts";
import { testWhere } from "../support/skip.ts";

/** A folder as a daemon has left it. */
async function usedFolder(): Promise<string> {
  const daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  await daemon.stop();
  return daemon.folder;
}

/** Starts a daemon that must not start. */
async function refused(folder: string, args: readonly string[] = []): Promise<[number, string]> {
  const { code, stderr } = await Daemon.command(folder, { args }).output();
  return [code, new TextDecoder().decode(stderr)];
}

const modeOf = (path: string): number => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test("a state folder that all may read is closed at the start; one that others can write is refused", async () => {
  const folder = await usedFolder();
  const state = `${folder}/state`;
  Deno.chmodSync(state, 0o755);
  await using daemon = await Daemon.start({ folder });
  assertEquals(modeOf(state), 0o700);
  assertEquals(await daemon.stop(), 0);
  for (const path of [state, `${folder}/run`, `${folder}/run/private`]) {
    const before = modeOf(path);
    for (const mode of [0o777, 0o720, 0o702]) {
      Deno.chmodSync(path, mode);
      const [code, said] = await refused(folder);
      assertEquals(code, EXIT.folder, said);
      assert(said.includes(path) && said.includes("chmod go-w"), said);
      assertEquals(modeOf(path), mode, "it is left as it is, to be looked at");
    }
    Deno.chmodSync(path, before);
  }
});

Deno.test("a token file that others can write is refused at the start and at SIGHUP", async () => {
  const folder = await usedFolder();
  const token = `${folder}/state/token`;
  for (const mode of [0o666, 0o620, 0o602]) {
    Deno.chmodSync(token, mode);
    const [code, said] = await refused(folder);
    assertEquals(code, EXIT.usage, said);
    assertMatch(said, /token.*chmod go-w/s);
  }
  Deno.chmodSync(token, 0o600);
  await using daemon = await Daemon.start({ folder });
  await Deno.writeTextFile(token, "intruder\n");
  Deno.chmodSync(token, 0o666);
  daemon.child.kill("SIGHUP");
  await retry(() => assert(daemon.log.includes("earlier tokens stay"), daemon.log), {
    minTimeout: 10,
    maxTimeout: 50,
    maxAttempts: 100,
  });
  await daemon.json(200, "GET", "/v1/scopes");
});

const notRoot = Deno.uid() === 0 ? undefined : "only root can give files away";

testWhere("a state folder or token file of another user is refused", notRoot, async () => {
  const folder = await usedFolder();
  for (const [path, status] of [["state", EXIT.folder], ["state/token", EXIT.usage]] as const) {
    Deno.chownSync(`${folder}/${path}`, 65534, null);
    const [code, said] = await refused(folder);
    assertEquals(code, status, said);
    assert(said.includes("user 65534"), said);
    Deno.chownSync(`${folder}/${path}`, 0, null);
  }
  await using _daemon = await Daemon.start({ folder });
});

Deno.test("a page of two names is refused, and what a killed daemon has left of one is not", async () => {
  const folder = await usedFolder();
  const pages = `${folder}/run/pages/vm-7`;
  Deno.linkSync(`${pages}/sysgenid`, `${pages}/.page.left-over`);
  const daemon = await Daemon.start({ folder });
  assertEquals(await daemon.stop(), 0);
  const victim = `${folder}/victim`;
  Deno.linkSync(`${pages}/sysgenid`, victim);
  const [code, said] = await refused(folder);
  assert(code !== 0 && said.includes("hard links"), said);
  Deno.removeSync(victim);
  await using _daemon = await Daemon.start({ folder });
});

Deno.test("a lock that is a symbolic link is refused, and nothing is made where it leads", async () => {
  const folder = await usedFolder();
  const lock = `${folder}/run/private/lock`;
  for (const exists of [false, true]) {
    const victim = `${folder}/victim-${exists}`;
    if (exists) await Deno.writeTextFile(victim, "precious");
    Deno.removeSync(lock);
    Deno.symlinkSync(victim, lock);
    const [code, said] = await refused(folder);
    assertEquals(code, EXIT.folder, said);
    assert(said.includes("lock"), said);
    const found = await Deno.readTextFile(victim).catch(() => undefined);
    assertEquals(found, exists ? "precious" : undefined);
  }
  Deno.removeSync(lock);
  await using _daemon = await Daemon.start({ folder });
});
