import { dirname, resolve } from "node:path/posix";
import denoJson from "../../deno.json" with { type: "json" };
import { write } from "./output.ts";

const APP = resolve(import.meta.dirname ?? ".", "../..");
/** The version that this program was tried with. */
const DENO = "2.9.6";

/** A word for the shell, whatever is in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command of a task, for a shell that has `$deno` and `$app`. */
function commandOf(task: "start" | "innkeeper"): string {
  const [, ...args] = denoJson.tasks[task].command.split(" ");
  const file = args.pop() ?? "";
  return `"$deno" ${args.join(" ")} --quiet --config="$app/deno.json" "$app/${file}"`;
}

/**
 * The program that is installed. It starts this checkout with the Deno that installed it; where
 * that one is gone, with one of the same version on the path, and then with npx.
 */
function launcher(deno: string): string {
  return `#!/bin/sh
# Written by "deno task install" in ${APP.replaceAll(/[^\x20-\x7e]/g, "?")}
app=${quote(APP)}
deno=${quote(deno)}
if ! [ -e "$app/deno.json" ]; then
  echo "Cannot find Innkeeper in $app: run \\"deno task install\\" where it is now" >&2
  exit 1
fi
if ! [ -x "$deno" ]; then
  deno=$(command -v deno)
  case $("$deno" --version 2>/dev/null) in
  "deno ${DENO} "*) ;;
  *) deno=$(npx -y deno@${DENO} eval 'Deno.stdout.writeSync(new TextEncoder().encode(Deno.execPath()))') || deno= ;;
  esac
fi
if [ -z "$deno" ]; then
  echo "Cannot find Deno ${DENO}: install it, or Node for npx, and run \\"deno task install\\" again" >&2
  exit 1
fi
# It belongs to whatever task this was called from; paths mean the folder that this is called in.
unset INIT_CWD
if [ "$1" = serve ]; then
  shift
  exec ${commandOf("start")} "$@"
fi
exec ${commandOf("innkeeper")} "$@"
`;
}

/** Writes the launcher, and says whether the shell finds it. */
function install(): void {
  const home = Deno.env.get("HOME");
  if (home === undefined) throw new Error("Cannot install: HOME is not set");
  const path = `${home}/.local/bin/innkeeper`;
  Deno.mkdirSync(dirname(path), { recursive: true });
  // A new file, since one that runs cannot be written to.
  Deno.writeTextFileSync(`${path}.new`, launcher(Deno.execPath()), { mode: 0o755 });
  Deno.chmodSync(`${path}.new`, 0o755);
  Deno.renameSync(`${path}.new`, path);
  const isFound = (Deno.env.get("PATH") ?? "").split(":").includes(dirname(path));
  const hint = isFound ? "" : `; add ${dirname(path)} to your PATH`;
  write(Deno.stdout, `${path} starts Innkeeper of ${APP}${hint}\n`);
}

if (import.meta.main) install();
