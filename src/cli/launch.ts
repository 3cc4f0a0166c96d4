import { resolve } from "node:path/posix";
import { SystemError } from "../core/system_error.ts";
import { execute } from "../native/exec.ts";
import { Libc } from "../native/libc.ts";
import { enterCallersFolder } from "./callers_folder.ts";
import type { Config } from "./config.ts";
import { environment } from "./environment.ts";
import { EXIT, UsageError } from "./exit.ts";
import { grantsOf } from "./grants.ts";
import { readServe } from "./parse_config.ts";

/** The program that becomes a daemon: this one, with other arguments. */
const PROGRAM = "/proc/self/exe";

/** What a daemon is started with. */
interface Start {
  readonly config: Config;
  readonly json: boolean;
}

/**
 * Becomes the daemon, under grants that fit its flags. Deno cannot narrow the permissions of a
 * running process, so this one, which may read everything, is replaced by one that may not. The
 * daemon is given what was understood here, so that it needs no parser.
 *
 * With `--mount` this process stays instead, and lends the mount to one daemon after the other
 * (docs/mount.md#8).
 *
 * @returns The exit status, where there is no daemon to become
 */
async function launch(args: readonly string[]): Promise<number> {
  try {
    const read = readServe(args, environment);
    if ("show" in read) {
      (await import("./terminal.ts")).writeOut(read.show);
      return EXIT.done;
    }
    const libc = Libc.open();
    const { mount } = read.config;
    if (mount !== undefined) return await lend(libc, read, mount);
    return execute(libc, PROGRAM, daemonArgs(libc, read));
  } catch (error) {
    const { report } = await import("./report.ts");
    return report(error, { json: args.includes("--json"), address: undefined });
  }
}

function daemonArgs(libc: Libc, { config, json }: Start): readonly string[] {
  const app = resolve(import.meta.dirname ?? ".", "../..");
  return [
    "deno",
    "run",
    "--no-prompt",
    "--frozen",
    // Guests run in Workers without any permission, and code comes from this machine alone.
    "--unstable-worker-options",
    "--no-remote",
    "--deny-import",
    ...config.listen.some(({ kind }) => kind === "vsock") ? ["--unstable-vsock"] : [],
    `--config=${app}/deno.json`,
    ...grantsOf(config, app, libc.path),
    `${app}/src/cli/daemon.ts`,
    JSON.stringify(config),
    ...json ? ["--json"] : [],
  ];
}

async function lend(
  libc: Libc,
  { config, json }: Start,
  mount: NonNullable<Config["mount"]>,
): Promise<number> {
  requireOutside(config, mount.folder);
  const [{ lendMount }, { systemClock }, { printNote }] = await Promise.all([
    import("../mount/lend_mount.ts"),
    import("./system.ts"),
    import("./terminal.ts"),
  ]);
  try {
    return await lendMount(libc, {
      folder: mount.folder,
      others: mount.grants.length > 0,
      daemon: (lent) => {
        const start = { json, config: { ...config, mount: { ...mount, lent } } };
        return { path: PROGRAM, args: daemonArgs(libc, start) };
      },
      env: Deno.env.toObject(),
      session: crypto.randomUUID(),
      clock: systemClock,
      say: printNote,
      onSignal: (signal, listener) => Deno.addSignalListener(signal, listener),
    });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new UsageError(
      `Cannot mount on ${mount.folder}: ${error.message}; see innkeeper doctor`,
      { cause: error },
    );
  }
}

/** A daemon waits for itself for ever when what it opens at its start is below its own mount. */
function requireOutside(config: Config, folder: string): void {
  const { state, run, tokenFile, roots, hostRoot } = config;
  const real = realPath(folder);
  for (const path of [state, run, tokenFile, hostRoot, ...roots.map((root) => root.path)]) {
    const isBelow = [path, realPath(path)].some((one) =>
      [folder, real].some((above) => `${one}/`.startsWith(`${above}/`))
    );
    if (!isBelow) continue;
    throw new UsageError(`Cannot use ${path}: it is below --mount, which Innkeeper serves itself`);
  }
}

/** The path without links, as far as it is there. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

if (import.meta.main) {
  enterCallersFolder();
  launch(Deno.args).then((status) => Deno.exit(status));
}
