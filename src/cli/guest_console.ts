import { CONSOLE_PROTOCOL } from "../wire/console_frames.ts";
import type { CommandContext } from "./command.ts";
import { readArgs, wholeNumber } from "./args.ts";

/** Leaves the console: what telnet's users press. */
const ESCAPE = 0x1d;
/** Input from a pipe has ended: the console is left when the guest was silent for so long. */
const SILENCE_MS = 1_000;
/** The guest has ended; see CLOSE of the daemon. */
const GUEST_ENDED = 4410;
const LEFT = 1000;

/**
 * `innkeeper guests console NAME`: this terminal as the guest's, ^] leaves.
 *
 * @returns 0 when the user left or the guest ended, 1 when the connection did
 */
export async function consoleCommand(
  args: readonly string[],
  { openSocket, err }: CommandContext,
  usage: string,
): Promise<number> {
  const words = readArgs(args, { since: { type: "string" } }, 1, usage);
  const since = wholeNumber(words, "since") ?? 0;
  const [name = ""] = words.names;
  const socket = openSocket(
    CONSOLE_PROTOCOL,
    `/v1/guests/${encodeURIComponent(name)}/console?since=${since}`,
  );
  socket.binaryType = "arraybuffer";
  const terminal = new Terminal();
  let heardAtMs = performance.now();
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    heardAtMs = performance.now();
    if (typeof data === "string") err(data);
    else terminal.write(new Uint8Array(data));
  };
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  const opened = new Promise<boolean>((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  if (!await opened) {
    err(`Cannot open the console of "${name}": it is no Linux guest that runs, or not for you`);
    return 1;
  }
  if (terminal.isRaw) err("^] leaves the console\r");
  using _raw = terminal.raw();
  void (async () => {
    for await (const bytes of Deno.stdin.readable) {
      const end = bytes.indexOf(ESCAPE);
      const typed = end < 0 ? bytes : bytes.subarray(0, end);
      if (typed.length > 0) socket.send(typed.slice());
      if (end >= 0) return socket.close(LEFT);
    }
    while (performance.now() - heardAtMs < SILENCE_MS) {
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS / 10));
    }
    socket.close(LEFT);
  })();
  const { code, reason } = await closed;
  if (code !== LEFT) {
    err(`\r\n${code === GUEST_ENDED ? "the guest has ended" : `${reason} (${code})`}\r`);
  }
  return code === LEFT || code === GUEST_ENDED ? 0 : 1;
}

/** Standard input and output, byte by byte while they are a terminal. */
class Terminal {
  readonly isRaw = Deno.stdin.isTerminal();

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  }

  /** Takes every key as it comes, until it is disposed of. */
  raw(): Disposable {
    if (this.isRaw) Deno.stdin.setRaw(true);
    return {
      [Symbol.dispose]: () => {
        if (this.isRaw) Deno.stdin.setRaw(false);
      },
    };
  }
}
