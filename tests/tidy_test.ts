import { assert, assertEquals } from "@std/assert";
import ts from "typescript";
import { bannedWord } from "./support/banned_words.ts";
import { filesBelow, ROOT, sources, textOf } from "./support/tree.ts";

const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 500;

/** What may stand at the root. */
const ROOT_ENTRIES = [
  ...["deno.json", "deno.lock", "mod.ts", "src", "routes", "bench", "tests", "docs", "examples"],
  ...["README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "LICENSE"],
  ...[".editorconfig", ".gitignore", ".ci"],
];

/** Made by tools and ignored by git. */
const IGNORED_ENTRIES = [".git", ".state", "coverage", "dist", "test-output", "node_modules"];

/** Modules whose exports are for users outside this repository. */
const PUBLIC = new Set(["mod.ts", "src/client/mod.ts"]);

const isTest = (path: string): boolean => /^(tests|bench)\//.test(path);

const code: readonly string[] = [
  ...sources(),
  ...["bench/", "tests/"].flatMap(filesBelow).filter((path) => /\.[jt]s$/.test(path)),
];

function parse(path: string, text: string): ts.SourceFile {
  const kind = path.endsWith(".js") ? ts.ScriptKind.JS : ts.ScriptKind.TS;
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
}

const trees = new Map(code.map((path) => [path, parse(path, textOf(path))]));

function each(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => each(child, visit));
}

function lineOf(tree: ts.SourceFile, position: number): number {
  return tree.getLineAndCharacterOfPosition(position).line + 1;
}

/** Functions of more lines than allowed, comments inside them included. */
function longFunctions(path: string, tree: ts.SourceFile): string[] {
  const found: string[] = [];
  each(tree, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
    const first = lineOf(tree, node.getStart(tree));
    const lines = lineOf(tree, node.getEnd()) - first + 1;
    if (lines > FUNCTION_LINES_MAX) found.push(`${path}:${first}: ${lines} lines`);
  });
  return found;
}

Deno.test("tidy: no function is longer than 70 lines", () => {
  const long = (text: number): string => `function f() {\n${"g();\n".repeat(text)}}`;
  assertEquals(longFunctions("a.ts", parse("a.ts", long(69))), ["a.ts:1: 71 lines"]);
  assertEquals(longFunctions("a.ts", parse("a.ts", long(68))), []);
  assertEquals(
    [...trees].flatMap(([path, tree]) => isTest(path) ? [] : longFunctions(path, tree)),
    [],
  );
});

Deno.test("tidy: no file is longer than 500 lines", () => {
  const lines = (path: string): number => textOf(path).split("\n").length - 1;
  const long = code.filter((path) => !isTest(path) && lines(path) > FILE_LINES_MAX);
  assertEquals(long.map((path) => `${path}: ${lines(path)} lines`), []);
});

/** The names that a file exports by declaring them. */
function exportsOf(tree: ts.SourceFile): string[] {
  return tree.statements.flatMap((statement) => {
    const isExported = ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
    if (!isExported) return [];
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => name.getText(tree));
    }
    const { name } = statement as ts.DeclarationStatement;
    return name === undefined ? [] : [name.getText(tree)];
  });
}

/** What a file takes of other files, as `path name`; `*` is a whole module. */
function importsOf(path: string, tree: ts.SourceFile): string[] {
  const taken: string[] = [];
  const from = (specifier: ts.Expression | undefined): string =>
    specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")
      ? ""
      : new URL(specifier.text, new URL(path, ROOT)).href.slice(ROOT.href.length);
  each(tree, (node) => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings;
      const names = bindings === undefined
        ? []
        : ts.isNamespaceImport(bindings)
        ? ["*"]
        : bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
      taken.push(...names.map((name) => `${from(node.moduleSpecifier)} ${name}`));
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      const names = node.exportClause !== undefined && ts.isNamedExports(node.exportClause)
        ? node.exportClause.elements.map(({ name, propertyName }) => (propertyName ?? name).text)
        : ["*"];
      taken.push(...names.map((name) => `${from(node.moduleSpecifier)} ${name}`));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      taken.push(`${from(node.arguments[0])} *`);
    } else if (ts.isImportTypeNode(node)) {
      const { argument } = node;
      if (ts.isLiteralTypeNode(argument)) {
        taken.push(`${from(argument.literal as ts.Expression)} *`);
      }
    }
  });
  // Types that plain JavaScript takes in its comments.
  for (
    const [, names = "", specifier = ""] of tree.text.matchAll(/@import \{([^}]+)\} from "(.+?)"/g)
  ) {
    const path = new URL(specifier, new URL(tree.fileName, ROOT)).href.slice(ROOT.href.length);
    taken.push(...names.split(",").map((name) => `${path} ${name.trim()}`));
  }
  return taken;
}

Deno.test("tidy: every export is used by another file", () => {
  const used = new Set([...trees].flatMap(([path, tree]) => importsOf(path, tree)));
  assert(used.size > 500, `only ${used.size} imports were found: the files were not read`);
  const unused = [...trees].filter(([path]) => !isTest(path) && !PUBLIC.has(path))
    .flatMap(([path, tree]) =>
      exportsOf(tree).filter((name) => !used.has(`${path} ${name}`) && !used.has(`${path} *`))
        .map((name) => `${path}: ${name}`)
    );
  assertEquals(unused, []);
});

Deno.test("tidy: only known entries stand at the root", () => {
  const entries = [...Deno.readDirSync(ROOT)].map(({ name }) => name);
  const known = new Set([...ROOT_ENTRIES, ...IGNORED_ENTRIES]);
  assertEquals(entries.filter((name) => !known.has(name)), []);
  const ignored = textOf(".gitignore");
  for (const name of IGNORED_ENTRIES.slice(1)) {
    assert(ignored.includes(name), `${name} is not ignored`);
  }
});

Deno.test("tidy: no identifier has a word that the glossary replaced", () => {
  const names: string[] = [];
  for (const [path, tree] of trees) {
    each(tree, (node) => {
      if (!ts.isIdentifier(node) && !ts.isPrivateIdentifier(node)) return;
      // What a declaration names; uses follow from it, and members of JSON keep their names.
      const { parent } = node;
      if (!("name" in parent) || parent.name !== node) return;
      if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) return;
      const word = bannedWord(node.text);
      if (word !== undefined) {
        names.push(`${path}:${lineOf(tree, node.getStart(tree))}: ${node.text} has "${word}"`);
      }
    });
  }
  assertEquals(names, []);
  const files = code.flatMap((path) => {
    const word = bannedWord(path.split("/").at(-1)?.replace(/(_test)?\.[jt]s$/, "") ?? "");
    return word === undefined ? [] : [`${path} has "${word}"`];
  });
  assertEquals(files, []);
});

/** The anchors that a page has: its headings' as the web shows them, and those that it names. */
function anchorsOf(page: string): ReadonlySet<string> {
  const slugs = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading.replace(/<[^>]*>/g, "").trim().toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(
      " ",
      "-",
    )
  );
  return new Set([...slugs, ...[...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id)]);
}

Deno.test("tidy: every page and anchor of docs/ that is cited exists", () => {
  const pages = new Map(
    filesBelow("docs/").filter((path) => path.endsWith(".md"))
      .map((path) => [path, anchorsOf(textOf(path))]),
  );
  const citing = [
    ...code,
    ...["src/", "examples/", "docs/", "bench/"].flatMap(filesBelow).filter((path) =>
      /\.(md|c|S|h|inc)$/.test(path)
    ),
    ...["README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"],
  ];
  const missing = citing.filter((path) => path !== "tests/tidy_test.ts").flatMap((path) =>
    [...textOf(path).matchAll(/(docs\/[\w-]+\.md)(?:#([\w-]+))?/g)].filter(
      ([, page = "", anchor]) => {
        const anchors = pages.get(page);
        return anchors === undefined || anchor !== undefined && !anchors.has(anchor);
      },
    ).map(([cited]) => `${path}: ${cited}`)
  );
  assertEquals(missing, []);
});

/** The comments of a file, each with its line. */
function commentsOf(path: string): [line: number, text: string][] {
  return textOf(path).split("\n").flatMap((line, index): [number, string][] => {
    const [comment] = /^\s*\*.*|\/\*.*|(?<!:)\/\/.*/.exec(line) ?? [];
    return comment === undefined ? [] : [[index + 1, comment.trim()]];
  });
}

Deno.test("tidy: no comment cites what a reader of this repository cannot look up", () => {
  const outside = /\bseeds? 00\d|\bspec(ification)?,? decision|\bspec\/\w+\.md|\((spec|seed)\b/;
  const cited = [...code, ...["src/", "examples/"].flatMap(filesBelow)]
    .filter((path) => path !== "tests/tidy_test.ts" && !path.endsWith(".bin"));
  const hits = [...new Set(cited)].flatMap((path) =>
    commentsOf(path).filter(([, comment]) => outside.test(comment))
      .map(([line, comment]) => `${path}:${line}: ${comment}`)
  );
  assertEquals(hits, []);
});
