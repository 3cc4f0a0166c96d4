import denoJson from "../../deno.json" with { type: "json" };

const APP = new URL("../..", import.meta.url).pathname;
const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const;

/**
 * Whether this process can start a daemon but not be one: the commands may run programs, and have
 * no access to the C library.
 */
export function needsLauncher(): boolean {
  const isGranted = (name: "run" | "ffi"): boolean =>
    Deno.permissions.querySync({ name }).state === "granted";
  return isGranted("run") && !isGranted("ffi");
}

/**
 * Runs the daemon as `deno task start` does, in a process of its own that gets our signals.
 *
 * @param args What stands behind `serve`
 * @returns Its exit status
 */
export async function launchDaemon(args: readonly string[]): Promise<number> {
  const [, ...start] = denoJson.tasks.start.command.split(" ");
  const file = start.pop() ?? "";
  const child = new Deno.Command(Deno.execPath(), {
    args: [...start, `--config=${APP}deno.json`, `${APP}${file}`, ...args],
  }).spawn();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, () => child.kill(signal));
  return (await child.status).code;
}
