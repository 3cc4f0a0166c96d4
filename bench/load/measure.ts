/** Starts the processes of a load script and reads what the kernel says of them. */

/** Starts a script of this folder. */
export function spawn(file: string, args: readonly string[]): Deno.ChildProcess {
  const path = new URL(file, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", path, ...args],
    stdout: "piped",
  }).spawn();
}

/** The first line that a process prints. */
export async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  await reader.cancel();
  return value.trim();
}

/** Starts so many watchers and waits until they are connected. */
export async function withClients(
  url: string,
  count: number,
  token: string | undefined,
  isTracked: boolean,
): Promise<Deno.ChildProcess> {
  const args = token === undefined ? [] : [token, isTracked ? "tracked" : "untracked"];
  const clients = spawn("fanout_clients.ts", [url, String(count), ...args]);
  if (await firstLine(clients) !== "connected") throw new Error("the clients did not connect");
  return clients;
}

/** Ends a process. */
export async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.status;
}

/** Resident memory of a process, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** The middle of some values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** Prints a line. */
export async function write(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}
