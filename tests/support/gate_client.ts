/**
 * A program that watches a scope as `innkeeper watch` does, and can be killed at each of its steps.
 *
 * Run with `deno run -A tests/support/gate_client.ts SOCKET SCOPE NAME FOLDER STEP`. It writes each
 * step on its output, and at STEP kills itself with SIGKILL. Each epoch to which it has adapted is a
 * line of `FOLDER/adapted`, written before it confirms that one.
 *
 * @module
 */
import { Identity } from "../../src/cli/identity.ts";
import { ownProcess } from "../../src/cli/own_process.ts";
import { Watcher } from "../../src/client/watcher.ts";

const [path = "", scope = "", name = "", folder = "", deadly = ""] = Deno.args;

function step(what: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what}\n`));
  if (what === deadly) Deno.kill(Deno.pid, "SIGKILL");
}

/** A socket whose frames are steps: each before it is sent, after that, and when it comes. */
function open(protocol: string): WebSocket {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const socket = new WebSocket("ws://localhost/v1/watch", { client, protocols: [protocol] });
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    const { type } = JSON.parse(String(data));
    step(`before ${type}`);
    send(data);
    // The runtime has written it by then.
    setTimeout(() => step(`after ${type}`), 5);
  };
  let listener: ((event: MessageEvent) => void) | null = null;
  Object.defineProperty(socket, "onmessage", {
    set: (handler: typeof listener) => {
      socket.removeEventListener("message", listener as EventListener);
      listener = handler === null ? null : (event) => {
        step(`got ${JSON.parse(event.data).type}`);
        handler(event);
      };
      if (listener !== null) socket.addEventListener("message", listener as EventListener);
    },
  });
  return socket;
}

using identity = await Identity.open(`${folder}/identity`);
const { token: resumeToken, epoch } = await identity?.read() ?? {};
const watcher = new Watcher({
  scope,
  name,
  leaseMs: 1_000,
  resumeToken,
  epoch,
  open,
  process: ownProcess,
  onResumeToken: (token) => {
    step("before token");
    identity?.store({ token });
    step("after token");
  },
  onConfirmed: (epoch) => identity?.store({ epoch }),
  onGeneration: ({ epoch }) => {
    step("before adapting");
    Deno.writeTextFileSync(`${folder}/adapted`, `${epoch}\n`, { append: true });
    step("after adapting");
  },
  onConnection: (state, detail) =>
    Deno.stderr.writeSync(new TextEncoder().encode(`${state}: ${detail}\n`)),
  onQuiesce: () => step("quiesced"),
  onResume: () => step("resumed"),
});
Deno.addSignalListener("SIGTERM", () => void watcher.stop());
await watcher.done;
if (!watcher.isLeftBehind) identity?.remove();
