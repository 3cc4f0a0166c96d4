import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { z } from "@hono/zod-openapi";
import { SERVER_FRAMES } from "../../src/wire/server_frames.ts";

const START_MS = 30_000;
const FRAME_MS = 10_000;

/** How a test starts a daemon. */
export interface DaemonOptions {
  /** Folder for state and run; a fresh one when it is left out. */
  readonly folder?: string;
  /** Its TCP port; any that is free when it is left out. */
  readonly port?: number;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** How many files it may have open. */
  readonly limit?: { readonly files: number };
}

/** A real daemon in a process of its own, started as `deno task start` does. */
export class Daemon implements AsyncDisposable {
  #log = "";
  readonly #logDone: Promise<void>;

  private constructor(
    readonly folder: string,
    readonly child: Deno.ChildProcess,
    readonly url: string,
    readonly token: string,
    /** The daemon's own process, which a launcher may have started. */
    readonly pid: number,
  ) {
    this.#logDone = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) this.#log += text;
    })();
  }

  /** What it has logged so far. */
  get log(): string {
    return this.#log;
  }

  get pageFolder(): string {
    return `${this.folder}/run/pages`;
  }

  get socketPath(): string {
    return `${this.folder}/run/private/innkeeper.sock`;
  }

  /** The command that starts a daemon in this folder. */
  static command(
    folder: string,
    { args = [], env = {}, port = 0, limit }: DaemonOptions = {},
  ): Deno.Command {
    const prefix = limit === undefined
      ? []
      : ["sh", "-c", `ulimit -n ${limit.files}; exec "$@"`, "sh"];
    const [program = "", ...before] = [...prefix, Deno.execPath()];
    return new Deno.Command(program, {
      args: [
        ...before,
        "run",
        "-P=launch",
        "src/cli/launch.ts",
        ...["--state", `${folder}/state`, "--run", `${folder}/run`],
        ...[
          "--listen",
          `unix:${folder}/run/private/innkeeper.sock`,
          "--listen",
          `127.0.0.1:${port}`,
        ],
        ...args,
      ],
      cwd: new URL("../..", import.meta.url),
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** Starts a daemon and waits until it is ready. */
  static async start(options: DaemonOptions = {}): Promise<Daemon> {
    const folder = options.folder ?? await Deno.makeTempDir({ prefix: "innkeeper-" });
    const child = Daemon.command(folder, options).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await deadline(reader.read(), START_MS);
    await reader.cancel();
    if (value === undefined) {
      const { code } = await child.status;
      throw new Error(`daemon ended with ${code}: ${await new Response(child.stderr).text()}`);
    }
    const ready = JSON.parse(value.split("\n")[0] as string);
    const url = (ready.listen as string[]).find((one) => one.startsWith("http")) as string;
    const [token = ""] = (await Deno.readTextFile(ready.tokenFile)).split("\n");
    return new Daemon(folder, child, url, token, ready.pid);
  }

  /** Sends a request over TCP with the daemon's token. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.token}`);
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  /** Sends a request and returns the JSON of an answer that must have this status. */
  // deno-lint-ignore no-explicit-any -- tests read members as they come and assert on each
  async json(status: number, method: string, path: string, body?: unknown): Promise<any> {
    const response = await this.fetch(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    assertEquals(response.status, status, `${method} ${path}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Opens a watch socket. */
  watch(): Promise<WatchClient> {
    return WatchClient.open(this.url, this.token);
  }

  /** All events that are still known: a kill leaves a gap in their numbers, at which a page ends. */
  async events(): Promise<{ seq: number; kind: string; subject: string; reason?: string }[]> {
    const headers = { accept: "application/json" };
    const all: { seq: number; kind: string; subject: string; reason?: string }[] = [];
    for (;;) {
      const after = all.at(-1)?.seq ?? 0;
      const { items } = await (await this.fetch(`/v1/events?after=${after}`, { headers })).json();
      if (items.length === 0) return all;
      all.push(...items);
    }
  }

  /** Ends it as an operator does and returns its exit status. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.child.kill(signal);
    const { code } = await this.child.status;
    await this.#logDone;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL").catch(() => {});
  }
}

// deno-lint-ignore no-explicit-any -- frames are asserted member by member
type Frame = Record<string, any>;

/** The other end of a watch socket: collects frames, answers pings. */
export class WatchClient {
  readonly #frames: Frame[] = [];
  readonly #waiting: (() => void)[] = [];
  #nextId = 1;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;

  private constructor(readonly socket: WebSocket) {
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
    socket.addEventListener("message", ({ data }) => {
      const frame = JSON.parse(data);
      requireDescribed(frame);
      if (frame.type === "ping") return socket.send(JSON.stringify({ type: "pong", at: frame.at }));
      this.#frames.push(frame);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  static async open(
    url: string,
    token: string,
    { protocols = ["innkeeper.watch.v1"], headers = {} }: {
      protocols?: string[];
      headers?: Record<string, string>;
    } = {},
  ): Promise<WatchClient> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/watch`, {
      protocols,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    const client = new WatchClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("error", () => reject(new Error("WebSocket refused")), {
        once: true,
      });
    });
    return client;
  }

  /** The next frame of this type; frames of other types stay for later. */
  async next(type: string): Promise<Frame> {
    for (;;) {
      const index = this.#frames.findIndex((frame) => frame["type"] === type);
      if (index >= 0) return this.#frames.splice(index, 1)[0] as Frame;
      await deadline(new Promise<void>((resolve) => this.#waiting.push(resolve)), FRAME_MS);
    }
  }

  /** Frames of this type that have come and were not taken. */
  pending(type: string): Frame[] {
    return this.#frames.filter((frame) => frame["type"] === type);
  }

  /** Sends a request and returns the frame that answers it. */
  async request(request: Record<string, unknown>): Promise<Frame> {
    const id = this.#nextId++;
    this.socket.send(JSON.stringify({ id, ...request }));
    for (;;) {
      const index = this.#frames.findIndex((frame) => frame["id"] === id);
      if (index >= 0) return this.#frames.splice(index, 1)[0] as Frame;
      await deadline(new Promise<void>((resolve) => this.#waiting.push(resolve)), FRAME_MS);
    }
  }

  /** Watches a scope, tracked. */
  watchScope(scope: string, name: string, token?: string): Promise<Frame> {
    return this.request({ type: "watch", scope, name, track: true, ...(token ? { token } : {}) });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** Every frame that a test receives must be one of /asyncapi.json. */
function requireDescribed(frame: Frame): void {
  const schema: z.ZodType = SERVER_FRAMES[frame["type"] as keyof typeof SERVER_FRAMES];
  const { error } = schema.safeParse(frame);
  if (error !== undefined) throw new Error(`${JSON.stringify(frame)}: ${error.message}`);
}
