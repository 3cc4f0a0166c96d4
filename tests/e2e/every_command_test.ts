import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { type CommandSpec, isGroup } from "../../src/cli/command.ts";
import { allCommands } from "../../src/cli/commands.ts";
import { EXIT, EXIT_TABLE, type ExitName } from "../../src/cli/exit.ts";
import { parse } from "../../src/cli/program.ts";
import { COMMAND_CASES } from "../support/command_cases.ts";
import { taskArgs } from "../support/command_line.ts";
import { Daemon } from "../support/daemon.ts";
import { PROGRAMS, V86_PROGRAMS } from "../support/guest_programs.ts";

const ROOT = new URL("../..", import.meta.url);
const LINE_MS = 20_000;

interface Named {
  readonly path: string;
  readonly spec: CommandSpec;
}

const specs = await allCommands();
const commands: readonly Named[] = specs.flatMap((spec) =>
  isGroup(spec)
    ? spec.actions.map((action) => ({ path: `${spec.name} ${action.name}`, spec: action }))
    : [{ path: spec.name, spec }]
);

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function innkeeper(args: readonly string[], env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...taskArgs("innkeeper"), ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(args: readonly string[], env?: Record<string, string>): Promise<Ran> {
  const { code, stdout, stderr } = await innkeeper(args, env).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { status: code, out: text(stdout), err: text(stderr) };
}

const split = (text: string): string[] => text.split(" ").filter((word) => word !== "");

/** Runs something for every command, two at a time. */
async function each(visit: (one: Named) => Promise<void>): Promise<void> {
  const queue = [...commands];
  const work = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await visit(one);
  };
  await Promise.all([work(), work()]);
}

/** Every line must be one object. */
function objectsOf(out: string, what: string): Record<string, unknown>[] {
  return out.split("\n").filter((line) => line !== "").map((line) => {
    const value = JSON.parse(line);
    assert(typeof value === "object" && !Array.isArray(value), `${what}: ${line}`);
    return value;
  });
}

/** A failure must have said the same as JSON, and nothing of HTTP. */
function assertFailed({ status, out, err }: Ran, ends: ExitName, what: string): void {
  const all = `${what}: ${err}${out}`;
  assertEquals(status, EXIT[ends], all);
  const last = objectsOf(out, what).at(-1)?.["error"] as Record<string, unknown> | undefined;
  assertEquals([last?.["kind"], last?.["exitStatus"]], [ends, EXIT[ends]], all);
  assert(!/\/v1\/|\b(GET|PUT|POST|PATCH|DELETE) |undefined|\[object/.test(err), all);
  assert(err.trim() !== "", all);
  assert(!err.includes("mistake"), all);
}

Deno.test("every command is tried by COMMAND_CASES, and nothing else is", () => {
  assertEquals(Object.keys(COMMAND_CASES).sort(), commands.map(({ path }) => path).sort());
});

Deno.test("every command explains itself: --help, -h, --version, and examples that can be parsed", async () => {
  await each(async ({ path, spec }) => {
    const help = await run([...split(path), "--help"]);
    assertEquals([help.status, help.err], [0, ""], path);
    assertStringIncludes(help.out, `Usage: innkeeper ${path}`);
    const texts = [
      ...Object.keys(spec.options).map((name) => `--${name}`),
      ...["--json", "--help", "--version", "Exit status", ...spec.examples],
      ...Object.values(EXIT_TABLE).map(([status, meaning]) => `${status} ${meaning}`),
    ];
    for (const text of texts) assertStringIncludes(help.out, text, path);
    assertEquals(parse(specs, [...split(path), "-h"]), { show: help.out });
    assertMatch((await run([...split(path), "--version"])).out, /^innkeeper \d+\.\d+\.\d+\n$/);
    assert(spec.examples.length > 0, path);
    for (const example of spec.examples) {
      const [line = ""] = example.split(/ (?:&&|[|]|>>?) /);
      const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word);
      const parsed = parse(specs, args as string[]);
      assert("run" in parsed && parsed.run.path === path, `${path}: ${example}`);
    }
  });
});

Deno.test("every command answers a typo with what may have been meant, and changes nothing", () => {
  for (const { path, spec } of commands) {
    const misspelt = catchUsage([...split(path).slice(0, -1), `${spec.name}x`]);
    assertStringIncludes(misspelt, `(Did you mean ${spec.name}?)`);
    const option = Object.keys(spec.options)[0] ?? "json";
    const args = split(COMMAND_CASES[path]?.args ?? "");
    const wrong = catchUsage([...split(path), ...args, `--${option}x`]);
    assertStringIncludes(wrong, `unknown option '--${option}x'`);
    assertStringIncludes(wrong, "(Did you mean --");
    assertStringIncludes(wrong, `usage: innkeeper ${path}`);
    assertStringIncludes(wrong, `See innkeeper ${path} --help.`);
  }
});

Deno.test("every command names an argument that is missing, or one too many", async () => {
  await each(async ({ path, spec }) => {
    const needed = Object.entries(spec.arguments).filter(([, { optional }]) => optional !== true);
    const options = Object.entries(spec.options).filter(([, { required }]) => required === true);
    const given = options.flatMap(([name]) => [`--${name}`, "x"]);
    const bare = await run([
      ...split(path),
      ...given,
      "--json",
      ...needed.length > 0 ? [] : split("a b c"),
    ]);
    assertFailed(bare, "usage", path);
    const [first] = needed[0] ?? [];
    assertStringIncludes(bare.err, first === undefined ? "too many arguments" : `'${first}'`, path);
    for (const [name] of options) {
      const without = await run([...split(path), ...needed.map(() => "x"), "--json"]);
      assertFailed(without, "usage", path);
      assertStringIncludes(without.err, `--${name}`);
    }
  });
});

Deno.test("every command says with 5 that no daemon is there, where it looked, and what to do", async () => {
  const socket = "/nowhere/innkeeper.sock";
  await each(async ({ path, spec }) => {
    if (spec.isLocal === true) return;
    const args = [...split(path), ...split(COMMAND_CASES[path]?.args ?? "").map(filled(null))];
    const ran = await run([...args, "--socket", socket, "--json"]);
    assertFailed(ran, "unreachable", path);
    assertStringIncludes(ran.err, `the socket ${socket}: `);
    assertStringIncludes(ran.err, "innkeeper serve");
    assertStringIncludes(ran.err, "--socket");
  });
});

Deno.test("every command says with 6 that its token is wrong, and how to give another", async () => {
  await using daemon = await Daemon.start();
  const env = { INNKEEPER_URL: daemon.url, INNKEEPER_TOKEN: "wrong" };
  await each(async ({ path, spec }) => {
    if (spec.isLocal === true) return;
    const args = [...split(path), ...split(COMMAND_CASES[path]?.args ?? "").map(filled(null))];
    const ran = await run([...args, "--json"], env);
    assertFailed(ran, "notPermitted", path);
    assertStringIncludes(ran.err, "--token-file FILE");
  });
});

Deno.test("every command does with --json what it must, in lines of JSON, and ends as the table says", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  await Deno.mkdir(`${folder}/files`);
  await Deno.mkdir(`${folder}/host`);
  const args = ["--root", `files=${folder}/files`, "--root", `ro=${folder}/files:ro`]
    .concat(["--host-root", `${folder}/host`]);
  await using daemon = await Daemon.start({ folder, args });
  const names = await world(daemon);
  const env = { INNKEEPER_SOCKET: daemon.socketPath, XDG_STATE_HOME: `${folder}/home` };
  const wrong: string[] = [];
  const check = async (what: string, run: () => Promise<void>): Promise<void> => {
    await run().catch((error) => wrong.push(`${what}: ${error.message}`));
  };
  for (const [path, one] of Object.entries(COMMAND_CASES)) {
    const argsOf = (args: string): string[] => [...split(path), ...split(args).map(filled(names))];
    await check(path, async () => {
      if (one.bump === true) {
        return void objectsOf(await firstLine(argsOf(one.args), env, daemon), path);
      }
      const ran = await run([...argsOf(one.args), "--json"], env);
      if (one.ends !== undefined) return assertFailed(ran, one.ends, path);
      if (one.orEnds !== undefined && ran.status !== 0) return assertFailed(ran, one.orEnds, path);
      assertEquals([ran.status, ran.err], [0, ""]);
      const [object] = path === "completion" ? [] : objectsOf(ran.out, path);
      for (const [member, name] of Object.entries(one.gives ?? {})) {
        names[name] = String(object?.[member]);
      }
    });
    for (const [args, ends] of Object.entries(one.others ?? {})) {
      const what = `${path} ${args}`;
      await check(
        what,
        async () => assertFailed(await run([...argsOf(args), "--json"], env), ends, what),
      );
    }
  }
  assertEquals(wrong, []);
});

function catchUsage(args: readonly string[]): string {
  try {
    parse(specs, args);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`"${args.join(" ")}" was understood`);
}

/** Puts names of the world in; without a world anything will do. */
function filled(names: Record<string, string> | null): (word: string) => string {
  return (word) =>
    word.replace(/\{(\w+)\}/g, (_all, name: string) => {
      const value = names === null ? "deno.json" : names[name];
      if (value === undefined) throw new Error(`nothing is called ${name}`);
      return value;
    });
}

/** The first line of a command that runs until a signal comes; its status must be 0 then. */
async function firstLine(
  args: readonly string[],
  env: Record<string, string>,
  daemon: Daemon,
): Promise<string> {
  await using child = innkeeper([...args, "--json"], env).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const errors = new Response(child.stderr).text();
  const first = reader.read();
  if (args[0] === "watch") {
    const at = `/v1/scopes/${args[1]}`;
    while ((await (await daemon.fetch(at)).json()).watchers !== 1);
    await daemon.json(201, "POST", `${at}/bumps`, { reason: "restore" });
  }
  const { value = "" } = await deadline(first, LINE_MS);
  child.kill("SIGTERM");
  await reader.cancel();
  const { code } = await child.status;
  assertEquals(code, 0, await errors);
  return value;
}

/** Makes what the cases name. */
async function world(daemon: Daemon): Promise<Record<string, string>> {
  const { folder } = daemon;
  const watcher = (scope: string, id: string) => `/v1/scopes/${scope}/watchers/${id}`;
  for (const scope of ["vm-7", "failing", "still"]) {
    await daemon.json(201, "PUT", `/v1/scopes/${scope}`, { requireQuiesce: scope === "still" });
    await daemon.json(201, "PUT", watcher(scope, "app"), { track: true });
  }
  const { generation } = await daemon.json(201, "POST", "/v1/scopes/failing/bumps", {
    reason: "restore",
  });
  const failure = { generation, reason: "no entropy" };
  await daemon.json(204, "PUT", `${watcher("failing", "app")}/failure`, failure);
  const device = await daemon.json(201, "POST", "/v1/devices", {
    ...{ containerPath: `${folder}/disk.img`, type: "b", major: 0, minor: 0, sandbox: "s" },
  });
  const open = { path: "f", cache: "own", holder: "test" };
  const inode = await daemon.json(201, "POST", "/v1/inodes", {
    ...{ ...open, root: "files", access: "rw", create: "exclusive" },
  });
  await Deno.writeTextFile(`${folder}/files/g`, "read me");
  const other = { ...open, path: "g", root: "files", access: "ro" };
  const readonly = await daemon.json(201, "POST", "/v1/inodes", other);
  await Deno.writeTextFile(`${folder}/bytes`, "bytes");
  await Deno.writeTextFile(
    `${folder}/image`,
    JSON.stringify(await daemon.json(200, "GET", "/v1/devices/image")),
  );
  const crash = await daemon.json(201, "POST", "/v1/guests", {
    name: "crash",
    bare: {
      pfnLimit: 16,
      start: 4096,
      load: [{ at: 4096, bytes: V86_PROGRAMS.crash.toBase64() }],
    },
  });
  return {
    folder,
    socket: daemon.socketPath,
    device: device.id,
    inode: inode.id,
    readonly: readonly.id,
    file: `${folder}/bytes`,
    image: `${folder}/image`,
    program: new URL("hello.bin", PROGRAMS).pathname,
    crash: crash.ownerToken,
  };
}
