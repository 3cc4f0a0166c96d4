import { assert, assertEquals } from "@std/assert";
import { filesBelow, ROOT, textOf } from "./support/tree.ts";

/** Folders that are drawn with all that is in them. */
const DRAWN = ["src/", "routes/", "examples/", "bench/", "docs/", ".ci/"];

/** Pages whose paths and links are held against the tree. CHANGELOG.md speaks of the past. */
const PAGES = [
  ...["README.md", "SECURITY.md", "CONTRIBUTING.md"],
  ...filesBelow("docs/").filter((path) => path.endsWith(".md")),
];

/** The folders and files of a drawing in which two spaces stand for one folder. */
function drawn(drawing: string): string[] {
  const trail: string[] = [];
  return drawing.split("\n").filter((line) => line.trim() !== "").flatMap((line) => {
    const [, indent = "", names = ""] = /^( *)([^\s,]+(?:, [^\s,]+)*)/.exec(line) ?? [];
    trail.length = indent.length / 2;
    const paths = names.split(", ").map((name) => trail.join("") + name);
    trail.push(names);
    return paths;
  });
}

const exists = (path: string): boolean => {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
};

Deno.test("docs: drawn() reads a drawing", () => {
  const drawing = "a.ts, b/c.ts   two files\nsrc/  all\n  core/\n    ports/  x\n  cli/   y\nend/\n";
  assertEquals(drawn(drawing), [
    ...["a.ts", "b/c.ts", "src/", "src/core/", "src/core/ports/", "src/cli/", "end/"],
  ]);
});

Deno.test("docs/ARCHITECTURE.md draws every folder that holds files, and none that is not there", () => {
  const [, chapter = ""] = textOf("docs/ARCHITECTURE.md").split("\n## The house\n");
  const [, drawing = ""] = /```text\n(.*?)\n```/s.exec(chapter) ?? [];
  const paths = drawn(drawing);
  const folders = new Set(DRAWN.flatMap(filesBelow).map((path) => path.replace(/[^/]+$/, "")));
  assert(folders.size > 30, `only ${folders.size} folders were found`);
  assertEquals([...folders].filter((folder) => !paths.includes(folder)), [], "not drawn");
  assertEquals(paths.filter((path) => !exists(path)), [], "drawn, and not there");
  assertEquals(paths.length, new Set(paths).size, "drawn twice");
});

Deno.test("docs: every path that a page names is there", () => {
  const named = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/`((?:src|routes|tests|examples|bench|docs|\.ci)\/[\w./-]*)`/g)]
      .map(([, path = ""]) => ({ page, path }))
  );
  assert(named.length > 50, `only ${named.length} paths were found`);
  const missing = named.filter(({ path }) => !exists(path));
  assertEquals(missing.map(({ page, path }) => `${page}: ${path}`), []);
});

/** Lines that mount a page, or link it to where a program looks for it. */
function mountsOfPages(text: string): string[] {
  const names = /(?:pages\/\S+\/|\/|\})(?:sysgenid|vmclock0?)\b|sysgenid\.path/;
  const verbs =
    /--mount|\bmount\b.*\bbind\b|mount --bind|Bind(?:ReadOnly)?Paths|\bln -s|\s-v\s|--volume/;
  return text.replace(/\n +(?=\S)/g, " ").split("\n")
    .filter((line) => names.test(line) && verbs.test(line));
}

const READ_ONLY = /\b(?:readonly|read-only|ro)\b|BindReadOnlyPaths/;

Deno.test("docs: every line that mounts a page mounts it read-only", () => {
  const wrong = [
    "docker run -v /run/innkeeper/pages/vm-7/sysgenid:/dev/sysgenid x",
    "mount --bind /run/innkeeper/pages/vm-7/sysgenid /dev/sysgenid",
    "ln -s /run/innkeeper/pages/system/sysgenid /dev/sysgenid",
  ];
  assertEquals(wrong.filter((line) => mountsOfPages(line).length !== 1), []);
  assertEquals(wrong.filter((line) => READ_ONLY.test(line)), []);
  const sources = [
    ...PAGES,
    "CHANGELOG.md",
    ...["src/", "routes/", "examples/"].flatMap(filesBelow),
  ]
    .filter((path) => /\.(?:md|[jt]s|sh|html|ya?ml)$/.test(path));
  const mounts = sources.flatMap((path) =>
    mountsOfPages(textOf(path)).map((line) => ({ path, line }))
  );
  assert(mounts.length >= 3, `only ${mounts.length} mounts were found`);
  const writable = mounts.filter(({ line }) => !READ_ONLY.test(line));
  assertEquals(writable.map(({ path, line }) => `${path}: ${line}`), []);
});

Deno.test("docs: every link between pages leads to a page and to a place in it", () => {
  const links = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/\]\(([^):\s]+)\)/g)].map(([, to = ""]) => {
      const { pathname, hash } = new URL(to, new URL(page, ROOT));
      return { page, to, path: pathname.slice(ROOT.pathname.length), anchor: hash.slice(1) };
    })
  );
  assert(links.length > 10, `only ${links.length} links were found`);
  const broken = links.filter(({ path, anchor }) =>
    !exists(path) || (anchor !== "" && !textOf(path).includes(`<a id="${anchor}"></a>`))
  );
  assertEquals(broken.map(({ page, to }) => `${page}: ${to}`), []);
});

Deno.test("docs: each function that a table names beside a file is in that file", () => {
  const named = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/^\|[^|]*\| `([^`]+)` *\| `([^`]+)` *\|/gm)].map((
      [, file = "", name = ""],
    ) => ({ page, file, name }))
  );
  const walks = textOf("docs/ARCHITECTURE.md").split("\n## Life of a ").length - 1;
  assertEquals(walks, 3);
  assert(named.length > 100, `only ${named.length} functions were found`);
  const missing = named.filter(({ file, name }) =>
    !exists(file) || !new RegExp(`(^|[^\\w#])${name}\\b`, "m").test(textOf(file))
  );
  assertEquals(missing.map(({ page, file, name }) => `${page}: ${file}: ${name}`), []);
});
