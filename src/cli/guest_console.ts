import { delay } from "@std/async";
import { CONSOLE_PROTOCOL } from "../wire/subprotocols.ts";
import { command } from "./command.ts";
import { EXIT } from "./exit.ts";
import { path, withQuery } from "./listing.ts";
import { write } from "./output.ts";

/** The key that leaves the console, ^], as in telnet. */
const ESCAPE = 0x1d;
/** Once piped input has ended, the console is left when the guest is silent for this long. */
const SILENCE_MS = 1_000;
/** The close code by which the daemon says that the guest has ended. */
const GUEST_ENDED = 4410;
const LEFT = 1000;

/**
 * `innkeeper guests console NAME`: makes this terminal the guest's. It ends with 0 when the user
 * left or the guest ended, and with 1 when the connection did.
 */
export const guestConsole = command(
  "innkeeper guests console NAME [--since OFFSET]",
  { names: ["name"], flags: { since: "number" } },
  async ({ name, since = 0 }, { openSocket, err }) => {
    const url = withQuery(path`/v1/guests/${name}/console`, { since: String(since) });
    const socket = openSocket(CONSOLE_PROTOCOL, url);
    socket.binaryType = "arraybuffer";
    let heardAtMs = performance.now();
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      heardAtMs = performance.now();
      if (typeof data === "string") err(data);
      else write(Deno.stdout, new Uint8Array(data));
    };
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    const opened = new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
    });
    if (!await opened) {
      err(`Cannot open the console of "${name}": it is no Linux guest that runs, or not for you`);
      return EXIT.refused;
    }
    if (Deno.stdin.isTerminal()) err("^] leaves the console\r");
    using _raw = rawInput();
    void type(socket, () => performance.now() - heardAtMs);
    const { code, reason } = await closed;
    if (code === LEFT) return EXIT.clean;
    err(`\r\n${code === GUEST_ENDED ? "the guest has ended" : `${reason} (${code})`}\r`);
    return code === GUEST_ENDED ? EXIT.clean : EXIT.refused;
  },
);

/** Sends what is typed, until the user leaves or piped input ends and the guest falls silent. */
async function type(socket: WebSocket, silentMs: () => number): Promise<void> {
  for await (const bytes of Deno.stdin.readable) {
    const end = bytes.indexOf(ESCAPE);
    const typed = end < 0 ? bytes : bytes.subarray(0, end);
    if (typed.length > 0) socket.send(typed.slice());
    if (end >= 0) return socket.close(LEFT);
  }
  while (silentMs() < SILENCE_MS) await delay(SILENCE_MS / 10);
  socket.close(LEFT);
}

/** Makes a terminal pass on each key as it is pressed, until this is disposed of. */
function rawInput(): Disposable {
  const isTerminal = Deno.stdin.isTerminal();
  if (isTerminal) Deno.stdin.setRaw(true);
  return {
    [Symbol.dispose]: () => {
      if (isTerminal) Deno.stdin.setRaw(false);
    },
  };
}
