import { ROOT, sources } from "./tree.ts";

/** That one file imports another, both as paths from the root. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
}

interface Dependency {
  readonly code?: { specifier: string };
  readonly type?: { specifier: string };
}

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly Dependency[];
}

/** The graph as `deno info --json` sees it, types and dynamic imports included. */
export async function arrows(): Promise<readonly Arrow[]> {
  const files = new Set(sources());
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  const imports = [...files].map((file) => `import ${JSON.stringify(new URL(file, ROOT).href)};`);
  await Deno.writeTextFile(entry, imports.join("\n"));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
  }).output();
  await Deno.remove(entry);
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  return modules.flatMap(({ specifier, dependencies = [] }) => {
    const from = specifier.slice(ROOT.href.length);
    if (!specifier.startsWith(ROOT.href) || !files.has(from)) return [];
    const targets = dependencies.map(({ code, type }) => (code ?? type)?.specifier ?? "")
      .filter((target) => target.startsWith(ROOT.href))
      .map((target) => target.slice(ROOT.href.length));
    return [...new Set(targets)].map((to) => ({ from, to }));
  });
}
