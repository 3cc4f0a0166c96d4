import { delay } from "@std/async";
import { CONSOLE_PROTOCOL } from "../wire/subprotocols.ts";
import { command, type CommandContext } from "./command.ts";
import { EXIT, ExitError } from "./exit.ts";
import { OWNER, ownerHeaders } from "./guest_owner.ts";
import { path, withQuery } from "./listing.ts";
import { number } from "./options.ts";
import { writeOut } from "./terminal.ts";

/** The key that leaves the console, ^], as in telnet. */
const ESCAPE = 0x1d;
/** Once piped input has ended, the console is left when the guest is silent for this long. */
const SILENCE_MS = 1_000;
/** The close code by which the daemon says that the guest has ended. */
const GUEST_ENDED = 4410;
const LEFT = 1000;

/**
 * `innkeeper guests console NAME`: makes this terminal the guest's. It ends with 0 when the user
 * left or the guest ended. What the guest writes goes to the terminal as it is, since that is what
 * a terminal is for.
 */
export const guestConsole = command({
  name: "console",
  summary: "make this terminal the guest's; ^] leaves",
  arguments: { name: { help: "the guest" } },
  options: { ...OWNER, since: number("offset", "begin with what it wrote from here on [0]") },
  examples: ["guests console vm-8"],
  async run({ name, owner, since = 0 }, context) {
    const { json, outJson, err, signal } = context;
    const url = withQuery(path`/v1/guests/${name}/console`, { since: String(since) });
    const headers = ownerHeaders(owner);
    const socket = context.openSocket(CONSOLE_PROTOCOL, url, headers);
    socket.binaryType = "arraybuffer";
    let heardAtMs = performance.now();
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      heardAtMs = performance.now();
      if (typeof data !== "string") {
        const bytes = new Uint8Array(data);
        if (json) outJson({ bytes: bytes.toBase64() });
        else writeOut(bytes);
      } else if (json) outJson(JSON.parse(data));
      else err(data);
    };
    const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
    if (!await opened(socket)) throw await whyNot(name, url, headers, context);
    if (Deno.stdin.isTerminal()) err("^] leaves the console");
    using _raw = rawInput(signal);
    void type(socket, () => performance.now() - heardAtMs);
    const { code, reason } = await closed;
    // The guest's last line has perhaps no end.
    if (Deno.stdin.isTerminal()) err("");
    if (code === LEFT) return { status: EXIT.done };
    if (code === GUEST_ENDED) return { note: "the guest has ended", status: EXIT.done };
    const why = reason || "the connection to the daemon ended";
    throw new ExitError(
      EXIT.unreachable,
      `Cannot go on with the console of "${name}": ${why} (${code})`,
    );
  },
});

function opened(socket: WebSocket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
}

/** A WebSocket does not say why it was refused; the same request without one does. */
async function whyNot(
  name: string,
  url: string,
  headers: Record<string, string>,
  { client }: CommandContext,
): Promise<Error> {
  try {
    await client.read(url, { headers });
  } catch (error) {
    return error as Error;
  }
  return new ExitError(
    EXIT.refused,
    `Cannot open the console of "${name}": the guest is dead, or this caller may not type`,
  );
}

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

/** Makes a terminal pass on each key as it is pressed, until this is disposed of or aborted. */
function rawInput(signal: AbortSignal): Disposable {
  const isTerminal = Deno.stdin.isTerminal();
  const setRaw = (isRaw: boolean): void => {
    if (isTerminal) Deno.stdin.setRaw(isRaw);
  };
  setRaw(true);
  // A signal ends the process without leaving the scope that this is used in.
  signal.addEventListener("abort", () => setRaw(false), { once: true });
  return { [Symbol.dispose]: () => setRaw(false) };
}
