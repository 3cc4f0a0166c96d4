import { delay } from "@std/async";
import { HOOK_TERM_MS } from "../core/limits.ts";
import { write } from "./output.ts";

/** How much of the end of a command's error output a failure report quotes. */
const QUOTED_CHARS = 160;
/** How long the error output of a command that has ended is waited for, in milliseconds. */
const OUTPUT_END_MS = 500;

/** When a command is ended before it has ended by itself. */
interface HookEnds {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/**
 * Runs a command of the user by sh.
 *
 * @returns Why it failed; nothing when it ended with 0
 */
export async function runHook(
  command: string,
  env: Readonly<Record<string, string>>,
  { signal, timeoutMs }: HookEnds,
): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", command],
    env,
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
    // A process group of its own, so that everything the command has started ends with it.
    detached: true,
  }).spawn();
  let killing: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    signalGroup(child.pid, "SIGTERM");
    killing = setTimeout(() => signalGroup(child.pid, "SIGKILL"), HOOK_TERM_MS);
  };
  const ends = AbortSignal.any([signal, timeout]);
  if (ends.aborted) end();
  ends.addEventListener("abort", end, { once: true });
  const output = forward(child.stderr);
  const { code, signal: killedBy } = await child.status;
  ends.removeEventListener("abort", end);
  clearTimeout(killing);
  // Whatever it has started and that did not listen to SIGTERM.
  if (ends.aborted) signalGroup(child.pid, "SIGKILL");
  if (timeout.aborted) return `"${command}" ran longer than ${timeoutMs} ms`;
  if (code === 0) return undefined;
  const how = killedBy === null ? `ended with ${code}` : `was ended by ${killedBy}`;
  // A process that the command has left in the background may hold the stream open for long.
  const quote = await Promise.race([output, delay(OUTPUT_END_MS).then(() => "")]);
  return `"${command}" ${how}${quote === "" ? "" : `: ${quote}`}`;
}

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

/** Passes error output on, and returns its end, which says best what went wrong. */
async function forward(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let end = "";
  for await (const bytes of stream) {
    try {
      write(Deno.stderr, bytes);
    } catch {
      // Nobody reads it any more. That is no reason to stop the command.
    }
    end = (end + decoder.decode(bytes, { stream: true })).slice(-QUOTED_CHARS);
  }
  return end.trim();
}
