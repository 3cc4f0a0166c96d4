import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("..", import.meta.url);

/** Which room may import which. A room may always import from itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "mod.ts": ["cli", "core", "wire"],
  core: [],
  std: [],
  generations: ["core"],
  devices: ["core"],
  inodes: ["core"],
  guests: ["core"],
  native: ["core"],
  storage: ["core", "native"],
  engines: ["core", "native"],
  wire: ["core"],
  daemon: ["core", "generations", "devices", "inodes", "guests"],
  routes: ["core", "wire", "daemon", "generations", "devices", "inodes", "guests"],
  client: ["core", "wire"],
  console: ["wire"],
  cli: ["core", "std", "client", "daemon", "wire"],
};

/** Files of the command line that may reach further than their room. */
const FURTHER: Readonly<Record<string, readonly string[]>> = {
  "src/cli/serve.ts": [
    ...["routes", "generations", "devices", "inodes", "guests"],
    ...["native", "storage", "engines", "deno.json"],
  ],
  "src/cli/host_sources.ts": ["generations", "native"],
  "src/cli/launch.ts": ["native"],
  "src/cli/listen.ts": ["routes"],
};

/** Rooms that know nothing of the machine: no Deno, no clock, no chance, no timers. */
const PURE = ["core", "generations", "devices", "inodes", "guests"];

/** Rooms that speak web standards only. */
const WEB_STANDARD = [...PURE, "wire", "daemon", "routes", "client", "console"];

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { code?: { specifier: string }; type?: { specifier: string } }[];
}

function roomOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "src" ? parts[1] as string : parts[0] as string;
}

/** All source files, without asking git: a copy of the tree is tested too. */
function sources(): string[] {
  const below = (folder: string): string[] =>
    [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
      isDirectory ? below(`${folder}${name}/`) : [`${folder}${name}`]
    );
  return ["mod.ts", ...below("src/"), ...below("routes/")]
    .filter((path) => /\.[jt]s$/.test(path) && !path.endsWith(".d.ts"));
}

async function arrows(): Promise<[from: string, to: string][]> {
  const found = new Map<string, [string, string]>();
  for (const entry of sources()) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      cwd: ROOT,
    }).output();
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
    const own = modules.find(({ specifier }) => specifier === new URL(entry, ROOT).href);
    for (const { code, type } of own?.dependencies ?? []) {
      const target = (code ?? type)?.specifier ?? "";
      if (!target.startsWith(ROOT.href)) continue;
      const to = target.slice(ROOT.href.length);
      found.set(`${entry} ${to}`, [entry, to]);
    }
  }
  return [...found.values()];
}

Deno.test("architecture: every import arrow is one that the layout allows", async () => {
  const all = await arrows();
  assert(all.length > 100, `only ${all.length} arrows were found: the graph was not read`);
  const wrong = all.filter(([from, to]) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    if (room === target) return false;
    return ![...ALLOWED[room] ?? [], ...FURTHER[from] ?? []].includes(target);
  });
  assertEquals(wrong.map(([from, to]) => `${from} -> ${to}`), []);
});

Deno.test("architecture: no two files import each other in a circle", async () => {
  const next = Map.groupBy(await arrows(), ([from]) => from);
  const state = new Map<string, "open" | "done">();
  const circles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === "open") circles.push([...trail, file].join(" -> "));
    if (state.has(file)) return;
    state.set(file, "open");
    for (const [, to] of next.get(file) ?? []) visit(to, [...trail, file]);
    state.set(file, "done");
  };
  for (const file of next.keys()) visit(file, []);
  assertEquals(circles, []);
});

async function linesWith(rooms: readonly string[] | undefined, pattern: RegExp): Promise<string[]> {
  const hits: string[] = [];
  for (const path of sources()) {
    if (rooms !== undefined && !rooms.includes(roomOf(path))) continue;
    const text = await Deno.readTextFile(new URL(path, ROOT));
    for (const [index, line] of text.split("\n").entries()) {
      const code = line.replace(/^\s*(\*|\/\/|\/\*).*$/, "");
      if (pattern.test(code)) hits.push(`${path}:${index + 1}: ${line.trim()}`);
    }
  }
  return hits;
}

Deno.test("architecture: only native/ opens libraries or reads foreign memory", async () => {
  const hits = await linesWith(undefined, /Deno\.dlopen|UnsafePointer/);
  assert(hits.length > 0, "native/ itself was not seen: the search is broken");
  assertEquals(hits.filter((hit) => !hit.startsWith("src/native/")), []);
});

Deno.test("architecture: pure and web-standard rooms do not name Deno", async () => {
  assertEquals(await linesWith(WEB_STANDARD, /\bDeno\./), []);
});

Deno.test("architecture: pure rooms have no clock, chance, timer or I/O of their own", async () => {
  const impure =
    /\bDate\.now|new Date\(\)|performance\.now|Math\.random|crypto\.(getRandomValues|randomUUID)|\bset(Timeout|Interval|Immediate)\(|(?:await|return|=) fetch\(|\bnode:(?!path\/posix)/;
  assertEquals(await linesWith(PURE, impure), []);
});
