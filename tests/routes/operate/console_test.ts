import { assert, assertEquals } from "@std/assert";
import { pageFiles } from "../../../src/cli/static_files.ts";
import { consoleRoutes } from "../../../routes/operate/console.ts";
import { problemResponse } from "../../../routes/http/problems.ts";

const FOLDER = new URL("../../../src/console/", import.meta.url);

const app = consoleRoutes(pageFiles);
app.onError(problemResponse);
const get = (path: string, headers: Record<string, string> = {}) =>
  Promise.resolve(app.request(path, { headers }));

/** Everything that a page loads, the page itself first. */
async function loaded(page: string): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const visit = async (path: string): Promise<void> => {
    if (texts.has(path)) return;
    const response = await get(path);
    assertEquals(response.status, 200, path);
    const text = await response.text();
    texts.set(path, text);
    const names = path.endsWith("bundle.js") ? [] : [
      ...text.matchAll(/(?:src|href)="(\/(?:console|docs)\/[^"]+)"/g),
      ...text.matchAll(/from "(\.\/[^"]+\.js)"/g),
    ];
    for (const [, name = ""] of names) {
      await visit(new URL(name, `http://localhost${path}`).pathname);
    }
  };
  await visit(page);
  return texts;
}

Deno.test("GET / and all that it names is served, and nothing lies there unused", async () => {
  const texts = await loaded("/");
  const served = [...texts.keys()].map((path) => path.replace("/console/", ""));
  const there = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => /\.(js|css|svg)$/.test(name) && name !== "docs.js");
  assertEquals(served.filter((name) => name !== "/").sort(), there.sort());
});

Deno.test("GET /docs and all that it names is served from this host", async () => {
  assertEquals([...(await loaded("/docs")).keys()].sort(), [
    "/console/icon.svg",
    "/docs",
    "/docs/docs.js",
    "/docs/swagger-ui-bundle.js",
    "/docs/swagger-ui.css",
  ]);
});

Deno.test("pages may load nothing foreign and nothing inline", async () => {
  for (const path of ["/", "/console/main.js", "/docs"]) {
    const { headers } = await get(path);
    const policy = headers.get("content-security-policy") ?? "";
    assert(policy.startsWith("default-src 'none'; script-src 'self';"), policy);
    assert(!/\*|https?:|unsafe-eval/.test(policy), policy);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
  }
  const policy = (await get("/")).headers.get("content-security-policy") ?? "";
  assert(policy.includes("require-trusted-types-for 'script'") && !policy.includes("unsafe"));
  for (const [path, text] of await loaded("/")) {
    assert(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/.test(text), path);
    assert(!/<style|style="|<script>|https?:\/\/(?!www\.w3\.org)/.test(text), path);
  }
});

Deno.test("GET /console/{name} answers 304 to who has it, and 404 to other names", async () => {
  const first = await get("/console/main.js");
  assertEquals(first.headers.get("content-type"), "text/javascript; charset=utf-8");
  const etag = first.headers.get("etag") ?? "";
  assertEquals((await get("/console/main.js", { "if-none-match": etag })).status, 304);
  for (const name of ["nothing.js", "types.ts", "deno.json", "..%2fcli%2fserve.js", "index.html"]) {
    assertEquals([name, (await get(`/console/${name}`)).status], [name, 404]);
    assertEquals([name, (await get(`/docs/${name}`)).status], [name, 404]);
  }
});
