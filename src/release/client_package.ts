import { build, stop } from "esbuild";
import ts from "typescript";
import denoJson from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);
const SOURCES = new URL("src/", ROOT).pathname;
const ENTRY = `${SOURCES}client/mod.ts`;
const DECLARATIONS = "types/client/mod.d.ts";

const MANIFEST = {
  name: "@innkeeper/client",
  version: denoJson.version,
  description: "Client of Innkeeper: watchers of generations, and its HTTP API",
  license: denoJson.license,
  type: "module",
  exports: { ".": { types: `./${DECLARATIONS}`, default: "./index.js" } },
  types: `./${DECLARATIONS}`,
  sideEffects: false,
  engines: { node: ">=20" },
  // Node 20 has no WebSocket, and no Node opens one through a unix socket.
  peerDependencies: { ws: "^8.18.0" },
  peerDependenciesMeta: { ws: { optional: true } },
};

/**
 * Builds the client as a package of plain JavaScript with types, which Node, Deno and browsers load
 * as it is.
 *
 * @param folder Where the package goes; made when it is missing
 * @throws {Error} when the client does not compile
 */
async function buildClientPackage(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await bundle(`${folder}/index.js`);
  for (const [path, text] of declarations()) {
    await Deno.mkdir(`${folder}/${path.replace(/[^/]+$/, "")}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, text);
  }
  await Deno.writeTextFile(`${folder}/package.json`, `${JSON.stringify(MANIFEST, null, 2)}\n`);
  await Deno.copyFile(new URL("src/client/README.md", ROOT), `${folder}/README.md`);
  await Deno.copyFile(new URL("LICENSE", ROOT), `${folder}/LICENSE`);
}

async function bundle(outfile: string): Promise<void> {
  await build({
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    external: ["node:*"],
    logLevel: "silent",
  });
}

/** The declarations of the client and of what they name, each by its path in the package. */
function declarations(): Map<string, string> {
  const program = ts.createProgram([ENTRY], {
    rootDir: SOURCES,
    outDir: "/types",
    declaration: true,
    emitDeclarationOnly: true,
    allowImportingTsExtensions: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
  });
  const made = new Map<string, string>();
  const { diagnostics } = program.emit(undefined, (path, text) => {
    // Whoever reads the package finds `mod.d.ts` behind `mod.js`, and never `mod.ts`.
    made.set(path.slice(1), text.replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
  });
  const [problem] = diagnostics;
  if (problem !== undefined) {
    throw new Error(
      `Cannot declare the client: ${ts.flattenDiagnosticMessageText(problem.messageText, "\n")}`,
    );
  }
  return reached(made);
}

/** What the declarations of the client lead to; the others would only be in the way. */
function reached(made: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    const text = made.get(path);
    if (text === undefined || found.has(path)) return;
    found.set(path, text);
    for (const [, target = ""] of text.matchAll(/from "(\.[^"]*)\.js"/g)) {
      visit(new URL(`${target}.d.ts`, `file:///${path}`).pathname.slice(1));
    }
  };
  visit(DECLARATIONS);
  // Users without the library of disposables would see an error in our types.
  found.set(DECLARATIONS, `/// <reference lib="esnext.disposable" />\n${found.get(DECLARATIONS)}`);
  return found;
}

const folder = Deno.args[0] ?? new URL("dist/client", ROOT).pathname;
await buildClientPackage(folder);
await stop();
// deno-lint-ignore no-console -- it is what this command is for
console.log(folder);
