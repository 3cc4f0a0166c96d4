import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { missingTools, runTool, TOOLS } from "../support/npm_tools.ts";
import { testWhere } from "../support/skip.ts";

/** Fetches both documents of a daemon into a folder. */
async function documentsOf(daemon: Daemon, folder: string): Promise<[string, string]> {
  const paths: [string, string] = [`${folder}/openapi.json`, `${folder}/asyncapi.json`];
  for (const path of paths) {
    const name = path.slice(folder.length);
    await Deno.writeTextFile(path, await (await daemon.fetch(name)).text());
  }
  return paths;
}

const tool = (name: string): string => new URL(`../support/${name}`, import.meta.url).href;

testWhere(
  "the linters of OpenAPI and AsyncAPI find nothing in the documents, and all that is wrong",
  await missingTools("redocly", "spectral", "spectralRules", "asyncapi"),
  async () => {
    const folder = await Deno.makeTempDir();
    await using daemon = await Daemon.start();
    const [openapi, asyncapi] = await documentsOf(daemon, folder);
    const lint = async (): Promise<string[]> =>
      JSON.parse(await runTool(tool("lint_documents.ts"), [openapi, asyncapi]));
    assertEquals(await lint(), []);
    await breakDocuments(openapi, asyncapi);
    const found = (await lint()).join("\n");
    for (const rule of ["operation-operationId", "no-empty-servers", "security-defined"]) {
      assertStringIncludes(found, `redocly error ${rule}`.replace("error op", "warn op"));
    }
    for (const rule of ["operation-description", "oas3-valid-media-example"]) {
      assertStringIncludes(found, ` ${rule} at paths//v1/scopes`);
    }
    assertStringIncludes(found, "asyncapi");
    assertEquals(await daemon.stop(), 0);
  },
);

/** Takes away what the linters must miss, so that their silence means something. */
async function breakDocuments(openapi: string, asyncapi: string): Promise<void> {
  const described = JSON.parse(await Deno.readTextFile(openapi));
  const bump = described.paths["/v1/scopes/{s}/bumps"].post;
  delete described.servers;
  delete described.security;
  delete bump.operationId;
  delete bump.description;
  bump.requestBody.content["application/json"].example = { reason: 7 };
  // Spectral resolves all examples, which takes seconds, and these are enough.
  described.paths = { "/v1/scopes/{s}/bumps": { post: bump } };
  await Deno.writeTextFile(openapi, JSON.stringify(described));
  const frames = JSON.parse(await Deno.readTextFile(asyncapi));
  delete frames.info;
  await Deno.writeTextFile(asyncapi, JSON.stringify(frames));
}

/** A client that knows the API by its document alone. */
const CLIENT = `
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

const [baseUrl = "", token = ""] = Deno.args;
const { GET, PUT, POST } = createClient<paths>({
  baseUrl,
  headers: { authorization: \`Bearer \${token}\` },
});

/** What was answered, or the problem as an error. */
function need<Data>(answer: { data?: Data; error?: components["schemas"]["Problem"] }): Data {
  if (answer.error !== undefined) throw new Error(answer.error.detail);
  return answer.data as Data;
}

const scope = { path: { s: "vm-7" } };
const watcher = { path: { s: "vm-7", w: "app-1" } };
need(await PUT("/v1/scopes/{s}", { params: scope, body: { expect: ["app"] } }));
need(await PUT("/v1/scopes/{s}/watchers/{w}", {
  params: watcher,
  body: { track: true, name: "app" },
}));
const bump = need(await POST("/v1/scopes/{s}/bumps", {
  params: { ...scope, header: { "Idempotency-Key": "restore-12" } },
  body: { reason: "restored from snapshot 12" },
}));
const shut = await GET("/v1/scopes/{s}/barrier", { params: scope });
const code: "watchers-outdated" | undefined = shut.error?.code === "watchers-outdated"
  ? shut.error.code
  : undefined;

const told = need(await GET("/v1/scopes/{s}/watchers/{w}/generation", {
  params: { ...watcher, header: { Prefer: "wait=5" } },
}));
const generation: number = (told as components["schemas"]["Generation"]).generation;
const waiting = GET("/v1/scopes/{s}/barrier", {
  params: { ...scope, header: { Prefer: "wait=5" }, query: { generation } },
  headers: { accept: "application/json" },
});
need(await PUT("/v1/scopes/{s}/watchers/{w}/ack", { params: watcher, body: { generation } }));
const open = need(await waiting);
const confirmed: string[] | undefined = open?.confirmed.map(({ name }) => name);
console.log(JSON.stringify({ bumped: bump.generation, code, generation, confirmed }));
`;

/** Mistakes that the types must catch: a header's value, a path, a member of a body, a code. */
const MISTAKES: readonly [string, string][] = [
  ['header: { Prefer: "wait=5" } },\n}));', "header: { Prefer: 5 } },\n}));"],
  ['POST("/v1/scopes/{s}/bumps"', 'POST("/v1/scopes/{s}/bump"'],
  ['body: { reason: "restored from snapshot 12" }', "body: {}"],
  ['const code: "watchers-outdated"', 'const code: "scope-not-found"'],
];

testWhere(
  "a client made from the document plays scope, watch, bump, ack and barrier, and takes no mistake",
  await missingTools("openapiTypescript", "openapiFetch"),
  async () => {
    const folder = await Deno.makeTempDir();
    await using daemon = await Daemon.start();
    const [openapi] = await documentsOf(daemon, folder);
    await Deno.writeTextFile(
      `${folder}/api.d.ts`,
      await runTool(tool("api_types.ts"), [openapi]),
    );
    await Deno.writeTextFile(
      `${folder}/deno.json`,
      JSON.stringify({
        imports: { "openapi-fetch": TOOLS.openapiFetch },
        compilerOptions: { noUncheckedIndexedAccess: true },
      }),
    );
    const deno = async (args: readonly string[], source: string) => {
      await Deno.writeTextFile(`${folder}/client.ts`, source);
      const options = { args: [...args], cwd: folder, env: { NO_COLOR: "1" } };
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
      const [out, log] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      return { success, out: out as string, log: log as string };
    };
    const args = ["run", "-q", "-A", "--check", "client.ts", daemon.url, daemon.token];
    const { success, out, log } = await deno(args, CLIENT);
    assert(success, log);
    assertEquals(JSON.parse(out), {
      bumped: 1,
      code: "watchers-outdated",
      generation: 1,
      confirmed: ["app"],
    });
    for (const [right, wrong] of MISTAKES) {
      const source = CLIENT.replace(right, () => wrong);
      assert(source !== CLIENT, `${right} is not in the client`);
      const checked = await deno(["check", "-q", "client.ts"], source);
      assert(!checked.success && checked.log.includes("TS"), `${wrong} compiles: ${checked.log}`);
    }
    assertEquals(await daemon.stop(), 0);
  },
);
