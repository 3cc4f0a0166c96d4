import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { retry } from "@std/async";
import { EXIT } from "../../src/cli/exit.ts";
import { taskArgs } from "../support/command_line.ts";
import { Daemon } from "../support/daemon.ts";

const ROOT = new URL("../..", import.meta.url);

function command(daemon: Daemon, ...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...taskArgs("innkeeper"), ...args, "--socket", daemon.socketPath],
    cwd: ROOT,
    env: { XDG_STATE_HOME: `${daemon.folder}/home` },
    stdout: "piped",
    stderr: "piped",
  });
}

interface Result {
  code: number;
  out: string;
  err: string;
}

async function run(daemon: Daemon, ...args: string[]): Promise<Result> {
  const { code, stdout, stderr } = await command(daemon, ...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** A watching command in the background, whose error output can be waited for. */
class Background {
  err = "";
  readonly #read: Promise<void>;

  constructor(readonly child: Deno.ChildProcess) {
    this.#read = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) this.err += text;
    })();
  }

  async says(text: string): Promise<void> {
    await retry(() => assertStringIncludes(this.err, text), {
      minTimeout: 10,
      maxTimeout: 50,
      maxAttempts: 200,
    });
  }

  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    const { code } = await this.child.status;
    await Promise.all([this.#read, this.child.stdout.cancel()]);
    return code;
  }
}

/** Whether some process has this command line, its words ended by zero bytes. */
function isRunning(commandLine: string): boolean {
  return [...Deno.readDirSync("/proc")].some(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${name}/cmdline`) === commandLine;
    } catch {
      return false;
    }
  });
}

Deno.test("innkeeper watch --exec confirms when the command succeeds; wait opens (decision 13)", async () => {
  await using daemon = await Daemon.start();
  const seen = `${daemon.folder}/seen`;
  const exec = `echo "$INNKEEPER_SCOPE $INNKEEPER_GENERATION $INNKEEPER_REASON" >> ${seen}`;
  const watching = new Background(
    command(daemon, "watch", "vm-7", "--name", "app", "--exec", exec).spawn(),
  );
  await watching.says("connected");
  const bumped = await run(daemon, "bump", "vm-7", "--reason", "restore", "--minimum", "8");
  assertEquals([bumped.code, JSON.parse(bumped.out).generation], [0, 8]);
  const waited = await run(daemon, "wait", "vm-7", "--timeout", "10");
  assertEquals(waited.code, 0, waited.err);
  assertEquals(await Deno.readTextFile(seen), "vm-7 8 restore\n");
  const listed = await run(daemon, "scopes");
  assertStringIncludes(listed.out, "vm-7  8  running  1/1  restore");
  assertEquals(await watching.stop(), 0);
  assertEquals((await daemon.json(200, "GET", "/v1/scopes/vm-7")).tracked, 0);
});

Deno.test("innkeeper watch --exec reports a failure with its reason; wait names it and ends with 9 (decision 13)", async () => {
  await using daemon = await Daemon.start();
  const exec = "echo no entropy >&2; exit 3";
  const watching = new Background(
    command(daemon, "watch", "vm-7", "--name", "app", "--exec", exec).spawn(),
  );
  await watching.says("connected");
  await run(daemon, "bump", "vm-7", "--reason", "restore");
  const waited = await run(daemon, "wait", "vm-7", "--timeout", "10");
  assertEquals(waited.code, EXIT.failed);
  assertStringIncludes(waited.err, "app");
  assertStringIncludes(waited.err, "ended with 3: no entropy");
  assertEquals(await watching.stop(), EXIT.late);
  assertStringIncludes(watching.err, "is left behind");
});

Deno.test("innkeeper watch that is stopped while its command runs leaves the barrier shut, and a restart does the work", async () => {
  await using daemon = await Daemon.start();
  const flag = `${daemon.folder}/go`;
  const exec = `while ! test -e ${flag}; do sleep 0.05; done`;
  const watch = ["watch", "vm-7", "--name", "app", "--exec", exec];
  const first = new Background(command(daemon, ...watch).spawn());
  await first.says("connected");
  await run(daemon, "bump", "vm-7", "--reason", "restore");
  await first.says("running");
  assertEquals(await first.stop(), EXIT.late);
  const waited = await run(daemon, "wait", "vm-7", "--timeout", "1");
  // Its last report was that it had been stopped.
  assertEquals(waited.code, EXIT.failed, waited.out);
  assertStringIncludes(waited.err, "app");
  assertStringIncludes((await run(daemon, "watchers", "vm-7")).out, "  app  held  no  ");
  const second = new Background(command(daemon, ...watch).spawn());
  await second.says("as the same watcher");
  await Deno.writeTextFile(flag, "");
  await second.says("confirmed");
  assertEquals((await run(daemon, "wait", "vm-7", "--timeout", "10")).code, 0);
  assertEquals(await second.stop(), 0);
  assertEquals((await daemon.json(200, "GET", "/v1/scopes/vm-7")).tracked, 0);
});

Deno.test("innkeeper watch that was killed comes back under its name and leaves no ghost", async () => {
  await using daemon = await Daemon.start();
  const watch = ["watch", "vm-7", "--name", "app", "--exec", "true"];
  const first = new Background(command(daemon, ...watch).spawn());
  await first.says("connected");
  first.child.kill("SIGKILL");
  await first.child.status;
  await first.child.stdout.cancel();
  await run(daemon, "bump", "vm-7", "--reason", "restore");
  const second = new Background(command(daemon, ...watch).spawn());
  await second.says("as the same watcher");
  assertEquals((await run(daemon, "wait", "vm-7", "--timeout", "10")).code, 0);
  const other = new Background(command(daemon, ...watch).spawn());
  await other.says("as a new watcher");
  const [row] = await daemon.json(200, "GET", "/v1/scopes/vm-7/watchers").then(({ items }) =>
    items
  );
  const released = await run(daemon, "release", "vm-7", row.watcher);
  assertEquals(released.code, 0, released.err);
  assertEquals(
    (await run(daemon, ...watch, "--identity", `${daemon.folder}/run/private/innkeeper.sock`)).code,
    2,
  );
  await Promise.all([second.stop(), other.stop()]);
});

Deno.test("innkeeper watch --exec gives a command up that runs too long, and starts anew at the next generation", async () => {
  await using daemon = await Daemon.start();
  // The shell has a child, which must not outlive it.
  const slow = 'test "$INNKEEPER_GENERATION" -ge 3 || { sleep 61; true; }';
  const watching = new Background(
    command(daemon, "watch", "vm-7", "--name", "app", "--exec", slow, "--exec-timeout", "1")
      .spawn(),
  );
  await watching.says("connected");
  await run(daemon, "bump", "vm-7", "--reason", "first");
  await watching.says("ran longer than 1000 ms");
  assertEquals((await run(daemon, "wait", "vm-7", "--timeout", "5")).code, EXIT.failed);
  await run(daemon, "bump", "vm-7", "--reason", "second");
  await watching.says("generation 2 (second)");
  await run(daemon, "bump", "vm-7", "--reason", "third");
  const waited = await run(daemon, "wait", "vm-7", "--timeout", "10");
  assertEquals(waited.code, 0, waited.err);
  assert(!isRunning("sleep\x0061\x00"), "a child was left behind");
  await watching.stop();
});

Deno.test("innkeeper watch comes back as the same watcher after the daemon was killed", async () => {
  const first = await Daemon.start();
  const watching = new Background(
    command(first, "watch", "vm-7", "--name", "app", "--exec", "true").spawn(),
  );
  await watching.says("connected");
  await first.stop("SIGKILL");
  await watching.says("lost:");
  await using second = await Daemon.start({ folder: first.folder });
  await watching.says("as the same watcher");
  await run(second, "bump", "vm-7", "--reason", "restore");
  assertEquals((await run(second, "wait", "vm-7", "--timeout", "10")).code, 0);
  assertEquals((await second.json(200, "GET", "/v1/scopes/vm-7")).tracked, 1);
  await watching.stop();
});

Deno.test("innkeeper watch --json prints each generation and is not waited for", async () => {
  await using daemon = await Daemon.start();
  const child = command(daemon, "watch", "vm-7", "--name", "log", "--json").spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await retry(async () => {
    assertEquals((await daemon.json(200, "GET", "/v1/scopes/vm-7")).watchers, 1);
  }, { minTimeout: 20, maxTimeout: 100, maxAttempts: 100 });
  await run(daemon, "bump", "vm-7", "--reason", "restore");
  const line = JSON.parse((await lines.read()).value ?? "");
  assertEquals([line.scope, line.generation, line.reason], ["vm-7", 1, "restore"]);
  assertEquals((await run(daemon, "wait", "vm-7", "--timeout", "0")).code, 0);
  await lines.cancel();
  child.kill("SIGTERM");
  await Promise.all([child.status, child.stderr.cancel()]);
});

Deno.test("commands say what is wrong: words with 2, a missing scope with 7, an absent daemon with 5", async () => {
  await using daemon = await Daemon.start();
  for (
    const [args, code, says] of [
      [["fly"], 2, "fly"],
      [["bump", "vm-7"], 2, "--reason"],
      [["bump"], 2, "usage"],
      [["bump", "vm-7", "--reason", "x", "--minimum", "-1"], 2, "minimum"],
      [["bump", "nobody", "--reason", "x"], 7, "nobody"],
      [["wait", "nobody"], 7, "nobody"],
      [["watch", "vm-7"], 2, "--name"],
      [["watch", "vm-7", "--name", "a"], 2, "--exec"],
      [["scopes", "extra"], 2, "usage"],
    ] as const
  ) {
    const { code: status, err } = await run(daemon, ...args);
    assertEquals(status, code, `${args.join(" ")}: ${err}`);
    assertStringIncludes(err, says);
  }
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...taskArgs("innkeeper"), "scopes", "--socket", "/nowhere.sock"],
    cwd: ROOT,
  }).output();
  assertEquals(code, 5);
  assert(new TextDecoder().decode(stderr).includes("Cannot reach the daemon"));
});

Deno.test("commands reach a daemon over TCP with its token", async () => {
  await using daemon = await Daemon.start();
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...taskArgs("innkeeper"), "scopes", "--json", "--url", daemon.url]
      .concat(["--token-file", `${daemon.folder}/state/token`]),
    cwd: ROOT,
  }).output();
  assertEquals([code, JSON.parse(new TextDecoder().decode(stdout)).name], [0, "system"]);
});
