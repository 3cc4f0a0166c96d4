import { Daemon } from "./daemon.ts";
import { freePort } from "./port.ts";

/** How often the thing that says nothing claims to ping, in milliseconds. */
const SILENT_HEARTBEAT_MS = 100;
const READER_TOKEN = "reader-token-of-the-client-suite";

const OPEN_TO_PAGES = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "*",
};

/** A real daemon that the client's suite may stop and start, whatever runtime the suite runs in. */
export class ClientWorld implements AsyncDisposable {
  readonly #port: number;
  #daemon: Daemon;
  readonly #control: Deno.HttpServer<Deno.NetAddr>;
  readonly #silent: Deno.HttpServer<Deno.NetAddr>;

  private constructor(daemon: Daemon, readonly runtime: string, port: number) {
    this.#daemon = daemon;
    this.#port = port;
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#control = Deno.serve(options, (request) => this.#obey(request));
    this.#silent = Deno.serve(options, beSilent);
  }

  static async start(runtime: string): Promise<ClientWorld> {
    const port = freePort();
    const daemon = await Daemon.start({ port });
    const tokens = `${daemon.token}\n${READER_TOKEN} read\n`;
    await Deno.writeTextFile(`${daemon.folder}/state/token`, tokens);
    await daemon.stop();
    return new ClientWorld(await Daemon.start({ folder: daemon.folder, port }), runtime, port);
  }

  /** What the suite has to know. */
  get facts(): Record<string, string> {
    const { url, token, socketPath: socket } = this.#daemon;
    return {
      ...{ runtime: this.runtime, url, token, socket, readerToken: READER_TOKEN },
      control: `http://127.0.0.1:${this.#control.addr.port}`,
      silentUrl: `http://127.0.0.1:${this.#silent.addr.port}`,
    };
  }

  async #obey(request: Request): Promise<Response> {
    const order = new URL(request.url).pathname.slice(1);
    if (order === "stop") await this.#daemon.stop();
    else if (order === "kill") await this.#daemon.stop("SIGKILL");
    else if (order === "freeze") this.#daemon.child.kill("SIGSTOP");
    else if (order === "thaw") this.#daemon.child.kill("SIGCONT");
    else if (order === "start") {
      this.#daemon = await Daemon.start({ folder: this.#daemon.folder, port: this.#port });
    } else return new Response(order, { status: 404, headers: OPEN_TO_PAGES });
    return new Response("", { headers: OPEN_TO_PAGES });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control.shutdown();
    await this.#silent.shutdown();
    await this.#daemon[Symbol.asyncDispose]();
    await Deno.remove(this.#daemon.folder, { recursive: true });
  }
}

/** Says hello, takes a watcher, and says nothing more. */
function beSilent(request: Request): Response {
  if (request.headers.get("upgrade") !== "websocket") {
    return new Response("{}", { status: 404, headers: OPEN_TO_PAGES });
  }
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "innkeeper.watch.v1" });
  const say = (frame: object): void => socket.send(JSON.stringify(frame));
  socket.onopen = () => say({ type: "hello", heartbeatMs: SILENT_HEARTBEAT_MS, limits: {} });
  socket.onmessage = ({ data }) => {
    const { id, scope } = JSON.parse(data);
    say({ type: "watching", id, scope, watcher: "w", epoch: "0", outdated: false, resumed: false });
  };
  return response;
}
