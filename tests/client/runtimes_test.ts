import { assert, assertEquals, assertMatch } from "@std/assert";
import ts from "typescript";
import { ClientWorld } from "../support/client_world.ts";
import { findRuntimes, installWs } from "../support/runtimes.ts";
import { testWhere } from "../support/skip.ts";
import { filesBelow, ROOT, textOf } from "../support/tree.ts";

/** As the client's page says: small enough to go with a page. */
const BUNDLE_BYTES_MAX = 16_000;

const MAIN = `
import * as client from "@innkeeper/client";
import { run } from "./suite.js";
const world = JSON.parse((globalThis.args ?? process.argv)[2]);
console.log(JSON.stringify(await run(client, world)));
`;

let built: Promise<string> | undefined;

/** Builds the package, once for all tests, by its task. */
async function clientPackage(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-client-package-" });
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "client", folder],
    cwd: ROOT,
    stdout: "null",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return folder;
}

/** A project that has the client installed as its users do. */
class Project implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make({ ws }: { ws: boolean }): Promise<Project> {
    const folder = await Deno.makeTempDir({ prefix: "innkeeper-client-" });
    const target = `${folder}/node_modules/@innkeeper`;
    await Deno.mkdir(target, { recursive: true });
    // A copy and no link, since what the package imports is looked for beside it.
    const copied = await new Deno.Command("cp", {
      args: ["-r", await (built ??= clientPackage()), `${target}/client`],
    }).output();
    assertEquals(copied.code, 0);
    if (ws) await installWs(folder);
    await Deno.writeTextFile(`${folder}/package.json`, `{ "type": "module" }`);
    await Deno.copyFile(new URL("tests/client/suite.js", ROOT), `${folder}/suite.js`);
    await Deno.writeTextFile(`${folder}/main.js`, MAIN);
    return new Project(folder);
  }

  async write(file: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/${file}`, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Each example of the client that a page or a comment shows. */
function examples(): { where: string; text: string }[] {
  const pages = ["README.md", ...filesBelow("src/client/")];
  return pages.flatMap((where) => {
    const text = where.endsWith(".md") ? textOf(where) : textOf(where).replace(/^ *\* ?/gm, "");
    return [...text.matchAll(/^```[jt]s[^\n]*\n(.*?)^```/gms)]
      .flatMap(([, code = ""]) =>
        code.includes("@innkeeper/client") ? [{ where, text: code }] : []
      );
  });
}

const runtimes = await findRuntimes();

Deno.test.afterAll(async () => {
  if (built !== undefined) await Deno.remove(await built, { recursive: true });
});

for (const runtime of runtimes) {
  const { name, missing } = runtime;
  testWhere(
    `client package in ${name}: the suite, and each documented example`,
    missing,
    async (t) => {
      await using project = await Project.make({ ws: true });
      await using world = await ClientWorld.start(name.replace(" ", "-"));
      const { facts } = world;
      const printed = await runtime.run(project.folder, "main.js", facts["url"] as string, [
        JSON.stringify(facts),
      ]);
      const results: { name: string; failure?: string }[] = JSON.parse(printed);
      assert(results.length >= 15, `only ${results.length} were run`);
      for (const { name, failure } of results) {
        await t.step(name, () => assertEquals(failure, undefined));
      }

      const { url, token } = world.facts as { url: string; token: string };
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const made = await fetch(`${url}/v1/scopes/vm-7`, { method: "PUT", headers, body: "{}" });
      assertEquals((await made.json()).name, "vm-7");
      const shown = examples();
      assert(shown.length >= 4, `only ${shown.length} were found`);
      for (const [index, { where, text }] of shown.entries()) {
        await t.step(where, async () => {
          assertMatch(text, /token: "TOKEN"/, "it does not say that a token is needed");
          await project.write(
            `example-${index}.js`,
            text.replace("http://127.0.0.1:8787", url).replace("TOKEN", token),
          );
          const printed = await runtime.run(project.folder, `example-${index}.js`, url);
          const [, promised] = /console\.log\("(.*?)"\)/.exec(text) ?? [];
          if (promised !== undefined) assert(printed.includes(promised), printed);
          assert(printed !== "", "it has shown nothing");
        });
      }
    },
  );
}

const node20 = runtimes.find(({ name }) => name === "node 20");
testWhere(
  "client package in node 20 without ws: it says what to install",
  node20?.missing,
  async () => {
    await using project = await Project.make({ ws: false });
    await project.write(
      "alone.js",
      `import { HttpClient, Watcher } from "@innkeeper/client";
    const watcher = new Watcher({ url: "http://127.0.0.1:9", scope: "a", name: "a", onGeneration() {} });
    console.log(await watcher.ready.catch(({ name, message }) => name + " " + message));`,
    );
    const printed = await node20?.run(project.folder, "alone.js", "");
    assertMatch(printed ?? "", /^ConnectError .*install the package ws/);
  },
);

Deno.test("client package: it is small, and names no file outside itself", async () => {
  await using project = await Project.make({ ws: false });
  const text = await Deno.readTextFile(`${project.folder}/node_modules/@innkeeper/client/index.js`);
  assert(text.length < BUNDLE_BYTES_MAX, `it has ${text.length} bytes`);
  assert(text.length > 5_000, "there is next to nothing in it");
  assertEquals([...text.matchAll(/from ?"(.*?)"/g)].map(([, name]) => name), []);
});

const USER = `
import { type Generation, HttpClient, ProblemError, Watcher } from "@innkeeper/client";
const watcher = new Watcher({
  url: "http://127.0.0.1:8787",
  token: "TOKEN",
  scope: "vm-7",
  name: "app",
  onGeneration: async ({ unique }: Generation): Promise<void> => void unique,
});
export const id: string | undefined = watcher.id;
export const code = (error: ProblemError): "scope-not-found" | string => error.problem.code;
await new HttpClient({ socket: "/run/innkeeper/private/innkeeper.sock" }).request("GET", "/v1/scopes");
`;
const WRONG = `${USER}
new Watcher({ url: 7, scope: "vm-7", name: "app", onGeneration() {} });
new HttpClient({ url: "http://127.0.0.1:8787", tokn: "TOKEN" });
`;

for (const kind of ["NodeNext", "Bundler"] as const) {
  Deno.test(`client package: its types are found and hold (${kind})`, async () => {
    await using project = await Project.make({ ws: false });
    const mistakes = (file: string): number[] => {
      const program = ts.createProgram([`${project.folder}/${file}`], {
        strict: true,
        noEmit: true,
        types: [],
        target: ts.ScriptTarget.ES2022,
        lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
        module: kind === "NodeNext" ? ts.ModuleKind.NodeNext : ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind[kind],
      });
      return ts.getPreEmitDiagnostics(program).map(({ code }) => code);
    };
    await project.write("user.ts", USER);
    await project.write("wrong.ts", WRONG);
    assertEquals(mistakes("user.ts"), []);
    assertEquals(mistakes("wrong.ts"), [2322, 2561]);
  });
}
