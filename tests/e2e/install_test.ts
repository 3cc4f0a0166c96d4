import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testWhere } from "../support/skip.ts";
import { Daemon } from "../support/daemon.ts";

const ROOT = new URL("../..", import.meta.url);

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  program: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string | URL; env: Record<string, string> },
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: cwd ?? ROOT,
    env,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { status: code, out: text(stdout), err: text(stderr) };
}

/** Installs into a folder of its own. */
async function installed(): Promise<{ home: string; program: string; said: string }> {
  const home = await Deno.makeTempDir({ prefix: "innkeeper 'home' " });
  const { status, out, err } = await run(Deno.execPath(), ["task", "-q", "install"], {
    env: { HOME: home, DENO_DIR: await denoDir() },
  });
  assertEquals(status, 0, err);
  return { home, program: `${home}/.local/bin/innkeeper`, said: out };
}

/** Where Deno has what it has fetched, also under another HOME. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

Deno.test("deno task install writes a program that works from any folder, quietly", async () => {
  await using daemon = await Daemon.start();
  const { home, program, said } = await installed();
  assertStringIncludes(said, `add ${home}/.local/bin to your PATH`);
  const env = { INNKEEPER_SOCKET: daemon.socketPath, DENO_DIR: await denoDir(), INIT_CWD: "/" };
  const listed = await run(program, ["scopes", "--json"], { cwd: home, env });
  assertEquals([listed.status, listed.err], [0, ""]);
  assertEquals(JSON.parse(listed.out).name, "system");
  await Deno.writeTextFile(`${home}/image.json`, "{");
  const relative = await run(program, ["devices", "image", "load", "image.json"], {
    cwd: home,
    env,
  });
  assertStringIncludes(relative.err, "it is not JSON");
  const version = await run(program, ["--version"], { cwd: "/", env });
  assertMatch(version.out, /^innkeeper \d/);
  const wrong = await run(program, ["serve", "--nonsense"], { cwd: home, env });
  assertEquals(wrong.status, 2);
  assertMatch(wrong.err, /^Cannot run "innkeeper serve": unknown option '--nonsense'\n/);
});

Deno.test("the installed program says what to do when its checkout or its Deno is gone", async () => {
  const { program } = await installed();
  const text = await Deno.readTextFile(program);
  const env = { DENO_DIR: await denoDir() };
  await Deno.writeTextFile(program, text.replace(/^app=.*$/m, "app='/moved away'"));
  const moved = await run(program, ["scopes"], { env });
  assertEquals(moved.status, 1);
  assertStringIncludes(moved.err, 'Cannot find Innkeeper in /moved away: run "deno task install"');
  await Deno.writeTextFile(program, text.replace(/^deno=.*$/m, "deno='/gone'"));
  const gone = await run("/bin/sh", [program, "--version"], { env: { ...env, PATH: "/nowhere" } });
  assertEquals(gone.status, 1);
  assertStringIncludes(gone.err, "Cannot find Deno 2.9.6");
});

const onPath = await run("/bin/sh", ["-c", "deno --version"], { env: {} });

testWhere(
  "the installed program takes a Deno of the same version from the path when its own is gone",
  onPath.out.startsWith("deno 2.9.6 ") ? undefined : "no Deno 2.9.6 is on the path",
  async () => {
    const { program } = await installed();
    const text = await Deno.readTextFile(program);
    await Deno.writeTextFile(program, text.replace(/^deno=.*$/m, "deno='/gone'"));
    const found = await run(program, ["--version"], { env: { DENO_DIR: await denoDir() } });
    assertEquals([found.status, found.err], [0, ""]);
  },
);
