import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { taskArgs } from "../support/command_line.ts";
import { Daemon } from "../support/daemon.ts";

const SCOPE = "/v1/scopes/vm-7";

/** `innkeeper watch` of a scope of its own, running a command. */
class Watching implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #err: Promise<string>;

  constructor(readonly daemon: Daemon, command: string, ...more: string[]) {
    this.child = new Deno.Command(Deno.execPath(), {
      args: [...taskArgs("innkeeper"), "watch", "vm-7", "--name", "app", "--exec", command]
        .concat(["--socket", daemon.socketPath], more),
      cwd: new URL("../..", import.meta.url),
      env: { XDG_STATE_HOME: `${daemon.folder}/home`, FOLDER: daemon.folder },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#err = new Response(this.child.stderr).text();
  }

  /** How it ended, and what it said. */
  async ended(): Promise<{ code: number; err: string }> {
    const { code } = await this.child.status;
    return { code, err: await this.#err };
  }

  async registered(): Promise<void> {
    await until(async () => (await this.daemon.json(200, "GET", SCOPE)).tracked === 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
  }
}

function until(holds: () => Promise<boolean>): Promise<void> {
  return retry(async () => assert(await holds()), {
    minTimeout: 50,
    maxTimeout: 200,
    maxAttempts: 150,
  });
}

const isThere = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

async function bumped(daemon: Daemon): Promise<void> {
  await daemon.json(201, "POST", `${SCOPE}/bumps`, { reason: "restore" });
}

async function isOpen(daemon: Daemon): Promise<boolean> {
  return (await daemon.fetch(`${SCOPE}/barrier`)).ok;
}

Deno.test("innkeeper watch --retry runs a failed command again until it succeeds", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", SCOPE, {});
  const command = 'echo x >> "$FOLDER/tries"; [ "$(wc -l < "$FOLDER/tries")" -ge 3 ]';
  await using watching = new Watching(daemon, command, "--retry", "2");
  await watching.registered();
  await bumped(daemon);
  await until(() => isOpen(daemon));
  assertEquals(await Deno.readTextFile(`${daemon.folder}/tries`), "x\nx\nx\n");
  await Deno.writeTextFile(`${daemon.folder}/tries`, "");
  await daemon.json(201, "POST", `${SCOPE}/bumps`, { reason: "again" });
  await until(() => isOpen(daemon));
  watching.child.kill("SIGTERM");
  assertEquals((await watching.ended()).code, 0);
});

Deno.test("innkeeper watch ends a command that takes too long by SIGTERM first, then by SIGKILL", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", SCOPE, {});
  const command = 'trap "echo told > $FOLDER/told" TERM; while :; do sleep 0.1; done';
  await using watching = new Watching(daemon, command, "--exec-timeout", "1");
  await watching.registered();
  await bumped(daemon);
  await until(() => isThere(`${daemon.folder}/told`));
  await until(async () => {
    const { watchers } = await (await daemon.fetch(`${SCOPE}/barrier`)).json();
    return watchers?.[0]?.reason?.includes("ran longer than 1000 ms") === true;
  });
});

Deno.test("innkeeper watch ends with 7 when its scope is deleted", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", SCOPE, {});
  await using watching = new Watching(daemon, "true");
  await watching.registered();
  assertEquals((await daemon.fetch(`${SCOPE}?force=true`, { method: "DELETE" })).status, 204);
  const { code, err } = await watching.ended();
  assertEquals(code, 7);
  assert(err.includes("scope vm-7 was deleted"), err);
});

Deno.test("innkeeper watch --if-missing waits for its scope, or fails", async () => {
  await using daemon = await Daemon.start();
  {
    await using failing = new Watching(daemon, "true", "--if-missing", "fail");
    assertEquals((await failing.ended()).code, 7);
  }
  await using waiting = new Watching(daemon, "true", "--if-missing", "wait");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assertEquals((await daemon.fetch(SCOPE)).status, 404);
  await daemon.json(201, "PUT", SCOPE, {});
  await waiting.registered();
});

Deno.test("innkeeper watch runs its command although nobody reads its standard error", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", SCOPE, {});
  // The reader ends at once, so every later line finds a broken pipe.
  const innkeeper = [Deno.execPath(), ...taskArgs("innkeeper")].join(" ");
  const line =
    `trap "" PIPE; ${innkeeper} watch vm-7 --name app --exec 'echo noise >&2' --socket ` +
    `${daemon.socketPath} 2>&1 >/dev/null | true`;
  const shell = new Deno.Command("/bin/sh", {
    args: ["-c", line],
    cwd: new URL("../..", import.meta.url),
    env: { XDG_STATE_HOME: `${daemon.folder}/home` },
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await until(async () => (await daemon.json(200, "GET", SCOPE)).tracked === 1);
    await bumped(daemon);
    await until(() => isOpen(daemon));
  } finally {
    // It ends with its scope.
    await daemon.fetch(`${SCOPE}?force=true`, { method: "DELETE" });
    await shell.status;
  }
});
