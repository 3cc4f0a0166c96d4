import type { z } from "@hono/zod-openapi";
import type { ProcessBody } from "../wire/generations.ts";

/** Only a process that may do all may read procfs in Deno, so a shell reads about its parent. */
const SCRIPT =
  'cat /proc/sys/kernel/random/boot_id "/proc/$PPID/stat" && readlink "/proc/$PPID/ns/pid"';

/**
 * What tells this process from all others of its host, for a daemon that holds it against the
 * kernel's credentials (docs/generations.md#tokens). It is asked anew for every connection, since
 * this process may have been restored as another one.
 *
 * @returns `undefined` where there is no procfs
 */
export async function ownProcess(): Promise<z.infer<typeof ProcessBody> | undefined> {
  const { success, stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", SCRIPT],
    stdin: "null",
    stderr: "null",
  }).output();
  const [bootId = "", stat = "", link = ""] = new TextDecoder().decode(stdout).trim().split("\n");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const pidNamespace = /[0-9]+/.exec(link)?.[0];
  if (!success || startTime === undefined || pidNamespace === undefined) return undefined;
  return { bootId, pidNamespace, pid: Number.parseInt(stat), startTime };
}
