import { delay } from "@std/async";

const FRAME_MS = 10_000;

/** A request of the story. */
interface Request {
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- the story reads members as they come
  readonly body: any;
}

/** A frame of the watch socket. */
// deno-lint-ignore no-explicit-any -- the story reads members as they come
type Frame = Record<string, any>;

/** A daemon in a fresh folder, and a narrator that prints each request with its real answer. */
export class Stage implements AsyncDisposable {
  readonly #client: Deno.HttpClient;

  private constructor(
    readonly folder: string,
    readonly daemon: Deno.ChildProcess,
    readonly url: string,
    readonly token: string,
    readonly socketPath: string,
  ) {
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path: socketPath } });
  }

  /**
   * Starts a daemon as `deno task start` does.
   *
   * @param roots Flags that name the folders in which it may open inodes
   */
  static async open(roots: readonly string[]): Promise<Stage> {
    const folder = await Deno.makeTempDir({ prefix: "innkeeper-demo-" });
    const socketPath = `${folder}/run/private/innkeeper.sock`;
    const flags = ["--state", `${folder}/state`, "--run", `${folder}/run`]
      .concat(["--listen", `unix:${socketPath}`, "--listen", "127.0.0.1:0"])
      .concat(roots.flatMap((root) => ["--root", root]));
    const launcher = new URL("../../src/cli/launch.ts", import.meta.url).pathname;
    const daemon = new Deno.Command(Deno.execPath(), {
      args: ["run", "-P=launch", launcher, ...flags],
      cwd: new URL("../..", import.meta.url),
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = daemon.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (value === undefined) {
      await Deno.remove(folder, { recursive: true });
      throw new Error(`the daemon ended with ${(await daemon.status).code} before it was ready`);
    }
    const ready = JSON.parse(value.split("\n")[0] as string);
    const url = (ready.listen as string[]).find((one) => one.startsWith("http")) as string;
    const token = (await Deno.readTextFile(ready.tokenFile)).trim();
    say(`S=${socketPath}`);
    return new Stage(folder, daemon, url, token, socketPath);
  }

  /** Sends a request over the unix socket and prints it as curl, with its answer. */
  async ask(method: string, path: string, { json, headers = {} }: Request = {}): Promise<Answer> {
    const text = json === undefined ? undefined : JSON.stringify(json);
    say(`\n$ ${curlLine(method, path, text, headers)}`);
    const response = await fetch(`http://localhost${path}`, {
      client: this.#client,
      method,
      headers: {
        ...headers,
        ...(text === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(text === undefined ? {} : { body: text }),
    });
    const body = await readBody(response);
    say(`${response.status} ${show(body)}`);
    return { status: response.status, headers: response.headers, body };
  }

  /** Opens a tracked watcher of a scope over WebSocket. */
  async watcher(scope: string, name: string): Promise<DemoWatcher> {
    const socket = new WebSocket(`${this.url.replace("http", "ws")}/v1/watch`, {
      protocols: ["innkeeper.watch.v1"],
      headers: { authorization: `Bearer ${this.token}` },
    });
    const watcher = new DemoWatcher(socket, name);
    await watcher.next("hello");
    socket.send(JSON.stringify({ type: "watch", id: 1, scope, name, track: true }));
    await watcher.next("watching");
    return watcher;
  }

  /** Ends the daemon as an operator does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    this.daemon.kill("SIGTERM");
    const { code } = await this.daemon.status;
    await Deno.remove(this.folder, { recursive: true });
    if (code !== 0) throw new Error(`the daemon ended with status ${code}`);
  }
}

/** A program that watches a scope, on the other end of a WebSocket. */
class DemoWatcher {
  readonly #frames: Frame[] = [];

  constructor(readonly socket: WebSocket, readonly name: string) {
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "ping") return socket.send(JSON.stringify({ type: "pong", at: frame.at }));
      this.#frames.push(frame);
      if (frame.type === "hello") return;
      say(`  ${name} <- ${data}`);
    };
  }

  /** The next frame of a type. */
  async next(type: string): Promise<Frame> {
    for (let waitedMs = 0; waitedMs < FRAME_MS; waitedMs += 5) {
      const index = this.#frames.findIndex((frame) => frame["type"] === type);
      if (index >= 0) return this.#frames.splice(index, 1)[0] as Frame;
      await delay(5);
    }
    throw new Error(`watcher ${this.name} was not sent "${type}" within ${FRAME_MS} ms`);
  }

  /** Confirms a generation: the exact value, as the driver's write. */
  async confirm(generation: Frame): Promise<void> {
    const { scope, generation: value, epoch } = generation;
    const frame = JSON.stringify({ type: "ack", id: 2, scope, generation: value, epoch });
    say(`  ${this.name} -> ${frame}`);
    this.socket.send(frame);
    await this.next("acked");
  }
}

/** Prints a line of the story. */
export function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Fails the story when a step did not hold. */
export function hold(holds: boolean, what: string): void {
  if (!holds) throw new Error(`this step did not hold: ${what}`);
  say(`  ✓ ${what}`);
}

function curlLine(
  method: string,
  path: string,
  json: string | undefined,
  headers: Readonly<Record<string, string>>,
): string {
  const words = ["curl", "-s", "--unix-socket", "$S"];
  if (method !== (json === undefined ? "GET" : "POST")) words.push("-X", method);
  for (const [name, value] of Object.entries(headers)) words.push("-H", quote(`${name}: ${value}`));
  words.push(path.includes("?") ? quote(`localhost${path}`) : `localhost${path}`);
  if (json !== undefined) words.push("--json", quote(json));
  return words.join(" ");
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function readBody(response: Response): Promise<unknown> {
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  if (isJson) return await response.json();
  return new Uint8Array(await response.arrayBuffer());
}

function show(body: unknown): string {
  if (body instanceof Uint8Array) return body.byteLength === 0 ? "" : body.toHex();
  return JSON.stringify(body);
}
