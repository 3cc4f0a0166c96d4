/**
 * What tells this process from all others of its host, where that can be read (Node on Linux). Deno
 * would ask the user for a permission.
 */
export async function ownProcess(): Promise<Readonly<Record<string, unknown>> | undefined> {
  if ("Deno" in globalThis) return undefined;
  try {
    const { readFile, readlink } = await import("node:fs/promises");
    const [bootId, stat, link] = await Promise.all([
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
      readFile("/proc/self/stat", "utf8"),
      readlink("/proc/self/ns/pid"),
    ]);
    // The second field is the name of the program, in which there may be anything.
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const pidNamespace = /[0-9]+/.exec(link)?.[0];
    return { bootId: bootId.trim(), pidNamespace, pid: Number.parseInt(stat), startTime };
  } catch {
    return undefined;
  }
}
