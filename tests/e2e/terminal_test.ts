import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { retry } from "@std/async";
import { EXIT } from "../../src/cli/exit.ts";
import { taskArgs } from "../support/command_line.ts";
import { Daemon } from "../support/daemon.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

const ROOT = new URL("../..", import.meta.url);
/** Moves up a line and erases it, then says what is not true. */
const REWRITING = "\x1b[1A\x1b[2K\rgeneration 1 of vm-7 is confirmed by all\u202e\x9b31m";

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const PROGRAM = [Deno.execPath(), ...taskArgs("innkeeper")].join(" ");

/** Runs a line of the shell in which `innkeeper` is the program. */
async function shell(
  daemon: Daemon,
  line: string,
  { env = {}, cwd = ROOT }: { env?: Record<string, string>; cwd?: string | URL } = {},
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command("/bin/bash", {
    args: ["-c", `innkeeper() { ${PROGRAM} "$@"; }; ${line}`],
    cwd,
    env: { INNKEEPER_SOCKET: daemon.socketPath, ...env },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { status: code, out: text(stdout), err: text(stderr) };
}

/** A daemon with a watcher that has failed with this reason. */
async function withFailure(reason: string): Promise<Daemon> {
  const daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  await daemon.json(201, "PUT", "/v1/scopes/vm-7/watchers/app", { track: true });
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
  const url = "/v1/scopes/vm-7/watchers/app/failure";
  await daemon.json(204, "PUT", url, { generation: 1, reason });
  return daemon;
}

Deno.test("commands escape what comes from outside, in text and in JSON, on both streams", async () => {
  await using daemon = await withFailure(REWRITING);
  for (const line of ["wait vm-7 --timeout 0", "watchers vm-7", "bump 'a\x1b[2Kb' --reason x"]) {
    for (const flag of ["", " --json"]) {
      const { out, err } = await shell(daemon, `innkeeper ${line}${flag}`);
      const said = (out + err).replaceAll("\n", "");
      assert(!/[\p{Cc}\u202e]/u.test(said), JSON.stringify(said));
    }
  }
  const { err, status } = await shell(daemon, "innkeeper wait vm-7 --timeout 0");
  assertEquals(status, EXIT.failed);
  assertStringIncludes(err, "\\x1b[1A\\x1b[2K\\x0dgeneration 1");
});

testWhere(
  "help has bold headings on a terminal only, and not with NO_COLOR",
  missingProgram("script"),
  async () => {
    await using daemon = await Daemon.start();
    const script = async (env: Record<string, string>): Promise<string> => {
      const { stdout } = await new Deno.Command("script", {
        args: ["-qec", `${PROGRAM} wait --help`, "/dev/null"],
        cwd: ROOT,
        env,
        stdin: "null",
      }).output();
      return new TextDecoder().decode(stdout);
    };
    assertStringIncludes(await script({ NO_COLOR: "" }), "\x1b[1mUsage:");
    assert(!(await script({ NO_COLOR: "1" })).includes("\x1b"));
    assert(!(await shell(daemon, "innkeeper wait --help")).out.includes("\x1b"));
  },
);

Deno.test("a closed pipe ends a command quietly with its own status", async () => {
  await using daemon = await withFailure("no entropy");
  const list = await shell(daemon, "innkeeper scopes | true; echo ${PIPESTATUS[0]}");
  assertEquals([list.out, list.err], ["0\n", ""]);
  const shut = await shell(
    daemon,
    "innkeeper wait vm-7 --timeout 0 --json 2>/dev/null | true; echo ${PIPESTATUS[0]}",
  );
  assertEquals([shut.out, shut.err], [`${EXIT.failed}\n`, ""]);
  const full = await shell(daemon, "innkeeper scopes > /dev/full");
  assertEquals(full.status, EXIT.failed);
  assertMatch(full.err, /^Cannot write to standard output: No space left/);
});

Deno.test("watch --json ends when nobody reads its lines any more", async () => {
  await using daemon = await Daemon.start();
  const watching = shell(
    daemon,
    "innkeeper watch vm-7 --name log --json 2>/dev/null | head -1; echo ${PIPESTATUS[0]}",
  );
  await retry(async () => {
    assertEquals((await daemon.json(200, "GET", "/v1/scopes/vm-7")).watchers, 1);
  }, { minTimeout: 20, maxTimeout: 100, maxAttempts: 100 });
  // The first line that is written after head has ended finds the pipe closed.
  await retry(async () => {
    await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "restore" });
    assertEquals((await daemon.json(200, "GET", "/v1/scopes/vm-7")).watchers, 0);
  }, { minTimeout: 100, maxTimeout: 200, maxAttempts: 50 });
  assertMatch((await watching).out, /^\{.*\}\n0\n$/);
});

Deno.test("SIGINT ends a wait with 130, and says so", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  const child = new Deno.Command(Deno.execPath(), {
    args: [...taskArgs("innkeeper"), "wait", "vm-7", "--json"],
    cwd: ROOT,
    env: { INNKEEPER_SOCKET: daemon.socketPath },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await retry(() => {
    const signals = Deno.readTextFileSync(`/proc/${child.pid}/status`);
    // SIGINT is the second bit of the signals that are caught.
    const [, caught = "0"] = /^SigCgt:\s+([0-9a-f]+)$/m.exec(signals) ?? [];
    assert((BigInt(`0x${caught}`) & 2n) !== 0n);
  }, { minTimeout: 10, maxTimeout: 50, maxAttempts: 200 });
  child.kill("SIGINT");
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, EXIT.interrupted);
  assertMatch(new TextDecoder().decode(stderr), /^SIGINT came before "innkeeper wait" was done/);
  const { error } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals([error.kind, error.exitStatus], ["interrupted", 130]);
});

Deno.test("a task takes paths from the folder that it is called in", async () => {
  await using daemon = await Daemon.start();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/image.json`, "{");
  // Deno leaves what an outer task has set.
  const line =
    `env -u INIT_CWD ${Deno.execPath()} task -q --config ${ROOT.pathname}deno.json innkeeper`;
  const inTask = await shell(daemon, `${line} devices image load image.json`, { cwd: folder });
  assertEquals(inTask.status, EXIT.usage);
  assertStringIncludes(inTask.err, "image.json as an image: it is not JSON");
});

Deno.test("commands write no warning of Deno's: standard error is empty when all is well", async () => {
  await using daemon = await Daemon.start();
  const { status, err } = await shell(daemon, "innkeeper scopes");
  assertEquals([status, err], [0, ""]);
});

Deno.test("a flag wins over the environment, and an address that is another server's is unreachable", async () => {
  await using daemon = await Daemon.start();
  const url = { INNKEEPER_URL: "http://127.0.0.1:9", INNKEEPER_TOKEN: "x" };
  const socket = `innkeeper scopes --json --socket ${daemon.socketPath}`;
  assertEquals((await shell(daemon, socket, { env: url })).status, 0);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("hi"),
  );
  const other = { INNKEEPER_URL: `http://127.0.0.1:${server.addr.port}`, INNKEEPER_TOKEN: "x" };
  const ran = await shell(daemon, "innkeeper scopes --json", { env: other });
  await server.shutdown();
  assertEquals(ran.status, EXIT.unreachable, ran.err);
  assertStringIncludes(ran.err, other.INNKEEPER_URL);
});
