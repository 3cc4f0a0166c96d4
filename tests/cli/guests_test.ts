import { assert, assertEquals, assertRejects } from "@std/assert";
import { guests } from "../../src/cli/guests.ts";
import { HttpClient } from "../../src/client/http_client.ts";
import { ProblemError } from "../../src/client/problem_error.ts";
import { admin } from "../../src/access/tokens.ts";
import { EXIT, UsageError } from "../../src/cli/exit.ts";
import { guestRoutes } from "../../routes/guests/guests.ts";
import { Api } from "../support/api.ts";
import { FAKE_PROGRAMS } from "../support/guest_engine.ts";
import { TestDaemon } from "../support/stub_guests.ts";
import { runSpec } from "../support/command.ts";

const INODE = "5";

/** The command in front of routes without a socket. */
class Cli {
  readonly lines: string[] = [];
  readonly #client: HttpClient;

  private constructor(app: Api["app"]) {
    const listener = { kind: "unix", principal: admin("test") } as const;
    const send: typeof fetch = async (input, init) =>
      await app.fetch(new Request(input as string, init), { listener });
    this.#client = new HttpClient({ url: "http://localhost", fetch: send });
  }

  static async open(): Promise<Cli> {
    const never = new AbortController().signal;
    return new Cli(Api.of(guestRoutes(await TestDaemon.open(), never)).app);
  }

  /** Runs a command and returns its status; what it says is in `lines`. */
  async run(...args: readonly string[]): Promise<number> {
    this.lines.length = 0;
    const { status, out, err } = await runSpec(guests, args, this.#client);
    this.lines.push(...out, ...err);
    return status;
  }

  // deno-lint-ignore no-explicit-any -- tests read members as they come and assert on each
  get answer(): any {
    return JSON.parse(this.lines[0] ?? "null");
  }
}

async function withHello(): Promise<{ cli: Cli; owner: string[] }> {
  const cli = await Cli.open();
  await cli.run("create", "--inode", INODE, "--name", "g", "--memory", "1");
  return { cli, owner: ["--owner", cli.answer.ownerToken] };
}

Deno.test("guests boot makes a Linux guest of what its flags name", async () => {
  const cli = await Cli.open();
  await cli.run("boot", "--kernel", "k", "--memory", "64", "--name", "deb");
  assertEquals([cli.answer.kind, cli.answer.memoryBytes], ["linux", String(64 * 1024 * 1024)]);
  await assertRejects(() => cli.run("boot"), UsageError, "--kernel");
  await assertRejects(() => cli.run("boot", "--kernel", "k", "--memory", "1"), ProblemError);
});

Deno.test("guests create, run, interrupt and registers go through a guest's life", async () => {
  const { cli, owner } = await withHello();
  assertEquals(cli.answer.memoryBytes, "1048576");
  assertEquals(await cli.run("run", "g", "--budget", "1000", ...owner), 0);
  assertEquals(cli.answer, { reason: "notify", value: "24589" });
  assertEquals(await cli.run("interrupt", "g", "1"), 0);
  await cli.run("run", "g", ...owner);
  assertEquals(cli.answer.value, "1");
  await cli.run("registers", "g", "--set", "ax=0x10", "--set", "bx=3", ...owner);
  assertEquals([cli.answer.ax, cli.answer.bx], ["16", "3"]);
  await cli.run("registers", "g", ...owner);
  assertEquals(cli.answer.ax, "16");
  await cli.run("list");
  assertEquals(cli.answer.id, "g");
  assertEquals(await cli.run("delete", "g", ...owner), 0);
  await cli.run("list");
  assertEquals(cli.lines, []);
});

Deno.test("guests memory writes bytes and shows them in rows", async () => {
  const { cli, owner } = await withHello();
  assertEquals(await cli.run("memory", "g", "0x3000-0x3002", "--write", "0a ff 01", ...owner), 0);
  await cli.run("memory", "g", "0x2fff-0x3010", ...owner);
  assertEquals(cli.lines, [
    "00002fff  00 0a ff 01 00 00 00 00 00 00 00 00 00 00 00 00",
    "0000300f  00 00",
  ]);
});

Deno.test("guests snapshot and clone make another guest", async () => {
  const { cli, owner } = await withHello();
  await cli.run("state", "g", "paused", ...owner);
  assertEquals(cli.answer.state, "paused");
  await cli.run("snapshot", "g", ...owner);
  const { id } = cli.answer;
  await cli.run("clone", id, "--name", "twin", "--scope", "vm-8", "--lease", "60000");
  assertEquals([cli.answer.id, cli.answer.scope], ["twin", "vm-8"]);
});

Deno.test("guests create takes an image from a file", async () => {
  const cli = await Cli.open();
  const image = await Deno.makeTempFile();
  try {
    await Deno.writeFile(image, FAKE_PROGRAMS.crash);
    await cli.run("create", "--image", image, "--name", "g");
    const { ownerToken } = cli.answer;
    assertEquals(await cli.run("run", "g", "--owner", ownerToken), EXIT.failed);
    assert(cli.answer.deathReason.startsWith("unhandled trap"));
  } finally {
    await Deno.remove(image);
  }
});

Deno.test("guests refuses words that it does not know, and passes problems on", async () => {
  const { cli } = await withHello();
  const wrong = [
    ["fly"],
    ["create"],
    ["create", "--image", "/nowhere", "--inode", "5"],
    ["create", "--image", "/nowhere"],
    ["create", "--inode", "5", "--at", "here"],
    ["run"],
    ["run", "g", "--budget", "soon"],
    ["memory", "g", "x"],
    ["memory", "g", "0-1", "--write", "zz"],
    ["interrupt", "g", "one"],
    ["registers", "g", "--set", "ax"],
  ];
  for (const args of wrong) await assertRejects(() => cli.run(...args), UsageError);
  const refusal = await assertRejects(() => cli.run("run", "g"), ProblemError);
  assertEquals(refusal.problem.code, "not-owner");
});
