import { assert, assertEquals } from "@std/assert";
import { type Arrow, arrows } from "./support/imports.ts";
import { sources, textOf } from "./support/tree.ts";

/** Rooms that know nothing of the machine: no Deno, no clock, no chance, no timers. */
const PURE = ["core", "generations", "devices", "inodes", "guests"];

/** Rooms that speak web standards only. */
const WEB_STANDARD = [
  ...[...PURE, "access", "wire", "sessions", "daemon", "routes", "client", "console"],
];

/** From a room to what it may import. */
type Table = ReadonlyMap<string, ReadonlySet<string>>;

const leafOf = (room: string): string => `leaf of ${room}`;

/** A table of docs/ARCHITECTURE.md. A name is a folder or a file, without `src/`. */
function printedTable(heading: string): Table {
  const section = textOf("docs/ARCHITECTURE.md").split(/^#+ /m)
    .find((text) => text.startsWith(heading)) ?? "";
  const rows = [...section.matchAll(/^\| `([^`]+)` *\|([^|]*)\|$/gm)];
  assert(rows.length > 10, `the table below "${heading}" was not read`);
  return new Map(rows.map(([, room = "", imports = ""]) => {
    const [names = "", leaves = ""] = imports.split("leaf files of");
    const quoted = (text: string): string[] =>
      [...text.matchAll(/`([^`]+)`/g)].map(([, n = ""]) => n);
    return [
      room,
      new Set([
        ...quoted(names),
        ...quoted(leaves).map(leafOf),
        ...imports.match(/everything/) ?? [],
      ]),
    ];
  }));
}

const BETWEEN = printedTable("Who may import whom");
const INSIDE = printedTable("Inside the rooms");

/** The row of a file: the longest name that fits. */
function rowOf(file: string, table: Table): string | undefined {
  const name = file.replace(/^src\//, "");
  return [...table.keys()].filter((room) => name === room || name.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

const outermost = (file: string): string => file.replace(/^src\//, "").split("/")[0] as string;

/** The arrows that the tables do not allow. */
function forbidden(all: readonly Arrow[]): string[] {
  // A leaf file imports nothing but core.
  const busy = new Set(all.filter(({ to }) => outermost(to) !== "core").map(({ from }) => from));
  const isAllowed = ({ from, to }: Arrow): boolean => {
    const [room, target] = [outermost(from), outermost(to)];
    if (room === target) {
      const [inner, innerTarget] = [rowOf(from, INSIDE), rowOf(to, INSIDE)];
      return inner === innerTarget ||
        inner !== undefined && INSIDE.get(inner)?.has(innerTarget ?? "") === true;
    }
    const allowed = BETWEEN.get(rowOf(from, BETWEEN) ?? "");
    return allowed !== undefined && (allowed.has("everything") || allowed.has(target) ||
      allowed.has(leafOf(target)) && !busy.has(to));
  };
  return all.filter((arrow) => !isAllowed(arrow)).map(({ from, to }) => `${from} -> ${to}`);
}

Deno.test("architecture: every import arrow is one that docs/ARCHITECTURE.md allows", async () => {
  const all = await arrows();
  assert(all.length > 100, `only ${all.length} arrows were found: the graph was not read`);
  assertEquals(forbidden(all), []);
});

Deno.test("architecture: an arrow that no row allows is found", () => {
  const arrow = (from: string, to: string): Arrow => ({ from, to });
  const wrong = [
    arrow("src/inodes/store/store.ts", "src/guests/guests.ts"),
    arrow("src/inodes/cache/residency.ts", "src/inodes/store/store.ts"),
    arrow("src/core/faults.ts", "src/wire/problem.ts"),
    arrow("src/cli/watch.ts", "src/native/libc.ts"),
    arrow("routes/http/app.ts", "routes/inodes/data.ts"),
    arrow("src/nowhere/a.ts", "src/core/faults.ts"),
  ];
  const right = [
    arrow("src/inodes/store/store.ts", "src/inodes/cache/residency.ts"),
    arrow("src/cli/launch.ts", "src/native/libc.ts"),
    arrow("src/cli/compose.ts", "routes/http/app.ts"),
    arrow("routes/inodes/data.ts", "src/inodes/store/store.ts"),
  ];
  assertEquals(forbidden(wrong), wrong.map(({ from, to }) => `${from} -> ${to}`));
  assertEquals(forbidden(right), []);
});

Deno.test("architecture: no two files import each other in a circle", async () => {
  const next = Map.groupBy(await arrows(), ({ from }) => from);
  const state = new Map<string, "open" | "done">();
  const circles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === "open") circles.push([...trail, file].join(" -> "));
    if (state.has(file)) return;
    state.set(file, "open");
    for (const { to } of next.get(file) ?? []) visit(to, [...trail, file]);
    state.set(file, "done");
  };
  for (const file of next.keys()) visit(file, []);
  assertEquals(circles, []);
});

Deno.test("architecture: the printed tables have no circle between rooms", () => {
  const table = new Map([...BETWEEN, ...INSIDE]);
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...table.get(from) ?? []].map((name) => name.replace("leaf of ", "")).some((name) =>
      name === to || !seen.has(name) && reaches(name, to, seen.add(name))
    );
  assertEquals([...table.keys()].filter((room) => reaches(room, room)), []);
});

function linesWith(rooms: readonly string[] | undefined, pattern: RegExp): string[] {
  const hits: string[] = [];
  for (const path of sources()) {
    if (rooms !== undefined && !rooms.includes(outermost(path))) continue;
    for (const [index, line] of textOf(path).split("\n").entries()) {
      const code = line.replace(/^\s*(\*|\/\/|\/\*).*$/, "");
      if (pattern.test(code)) hits.push(`${path}:${index + 1}: ${line.trim()}`);
    }
  }
  return hits;
}

Deno.test("architecture: only native/ opens libraries or reads foreign memory", () => {
  const hits = linesWith(undefined, /Deno\.dlopen|UnsafePointer/);
  assert(hits.length > 0, "native/ itself was not seen: the search is broken");
  assertEquals(hits.filter((hit) => !hit.startsWith("src/native/")), []);
});

Deno.test("architecture: pure and web-standard rooms do not name Deno", () => {
  assertEquals(linesWith(WEB_STANDARD, /\bDeno\./), []);
});

Deno.test("architecture: pure rooms have no clock, chance, timer or I/O of their own", () => {
  const impure =
    /\bDate\.now|new Date\(\)|performance\.now|Math\.random|crypto\.(getRandomValues|randomUUID)|\bset(Timeout|Interval|Immediate)\(|(?:await|return|=) fetch\(|\bnode:(?!path\/posix)/;
  assertEquals(linesWith(PURE, impure), []);
});
