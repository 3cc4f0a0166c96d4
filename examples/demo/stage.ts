import { HttpClient } from "../../src/client/mod.ts";
import { write } from "../../src/cli/output.ts";

const PROGRAMS = new URL("../guests", import.meta.url).pathname;

/** A request of the story. */
interface Request {
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- the story reads members as they come
  readonly body: any;
}

/** A daemon in a fresh folder, and a narrator that prints each request with its real answer. */
export class Stage implements AsyncDisposable {
  readonly #unix: Deno.HttpClient;

  private constructor(
    readonly folder: string,
    readonly daemon: Deno.ChildProcess,
    readonly url: string,
    readonly token: string,
    socketPath: string,
  ) {
    this.#unix = Deno.createHttpClient({ proxy: { transport: "unix", path: socketPath } });
  }

  /** Starts a daemon as `deno task start` does. */
  static async open(): Promise<Stage> {
    const folder = await Deno.makeTempDir({ prefix: "innkeeper-demo-" });
    const socketPath = `${folder}/run/private/innkeeper.sock`;
    const flags = ["--state", `${folder}/state`, "--run", `${folder}/run`]
      .concat(["--listen", `unix:${socketPath}`, "--listen", "127.0.0.1:0"])
      .concat(["--root", `images=${PROGRAMS}:ro`, "--root", `linux=${folder}/linux:ro`]);
    await Deno.mkdir(`${folder}/linux`);
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

  /** Requests that the story does not show. */
  get client(): HttpClient {
    return new HttpClient({ url: this.url, token: this.token });
  }

  /** Sends a request over the unix socket and prints it as curl, with its answer. */
  async request(
    method: string,
    path: string,
    { json, headers = {} }: Request = {},
  ): Promise<Answer> {
    const text = json === undefined ? undefined : JSON.stringify(json);
    say(`\n$ ${curlLine(method, path, text, headers)}`);
    const response = await fetch(`http://localhost${path}`, {
      client: this.#unix,
      method,
      headers: text === undefined ? headers : { ...headers, "content-type": "application/json" },
      body: text ?? null,
    });
    const body = await readBody(response);
    say(`${response.status} ${show(body)}`);
    return { status: response.status, headers: response.headers, body };
  }

  /** Opens a WebSocket. */
  socket(protocol: string, path: string): WebSocket {
    return new WebSocket(`${this.url.replace("http", "ws")}${path}`, {
      protocols: [protocol],
      headers: { authorization: `Bearer ${this.token}` },
    });
  }

  /** Ends the daemon as an operator does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unix.close();
    this.daemon.kill("SIGTERM");
    const { code } = await this.daemon.status;
    await Deno.remove(this.folder, { recursive: true });
    if (code !== 0) throw new Error(`the daemon ended with status ${code}`);
  }
}

/** Prints a line of the story. */
export function say(line: string): void {
  write(Deno.stdout, `${line}\n`);
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
  const args = ["curl", "-s", "--unix-socket", "$S"];
  if (method !== (json === undefined ? "GET" : "POST")) args.push("-X", method);
  for (const [name, value] of Object.entries(headers)) args.push("-H", quote(`${name}: ${value}`));
  args.push(path.includes("?") ? quote(`localhost${path}`) : `localhost${path}`);
  if (json !== undefined) args.push("--json", quote(json));
  return args.join(" ");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function readBody(response: Response): Promise<unknown> {
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return isJson ? await response.json() : await response.bytes();
}

function show(body: unknown): string {
  return body instanceof Uint8Array ? body.toHex() : JSON.stringify(body);
}
