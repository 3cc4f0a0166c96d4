import { ConnectError } from "./connect_error.ts";

/** What Deno has beyond the standards of the web. */
interface DenoNamespace {
  createHttpClient(options: { proxy: { transport: "unix"; path: string } }): object;
}

/** Deno's clients, by the path of the socket. Each holds its connections open for reuse. */
const clients = new Map<string, object>();

/** Deno's own names; `undefined` in other runtimes. */
function deno(): DenoNamespace | undefined {
  return (globalThis as { Deno?: DenoNamespace }).Deno;
}

function clientOf({ createHttpClient }: DenoNamespace, path: string): object {
  const client = clients.get(path) ?? createHttpClient({ proxy: { transport: "unix", path } });
  clients.set(path, client);
  return client;
}

/** Whether this is Node, and not Deno that looks like it. */
export function isNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return deno() === undefined && process?.versions?.node !== undefined;
}

function requireNode(): void {
  if (isNode()) return;
  throw new ConnectError("Cannot use a unix socket in a browser: give url with token or ticket");
}

/**
 * A fetch through a unix socket.
 *
 * @throws {ConnectError} when the runtime has no unix sockets
 */
export async function unixFetch(path: string): Promise<typeof fetch> {
  const runtime = deno();
  if (runtime !== undefined) {
    const client = clientOf(runtime, path);
    return (input, init) => fetch(input, { ...init, client } as RequestInit & { client: object });
  }
  requireNode();
  const [{ request }, { Readable }] = await Promise.all([
    import("node:http"),
    import("node:stream"),
  ]);
  return (input, init = {}) => {
    const { pathname, search } = new URL(String(input));
    const { method = "GET", body, signal } = init;
    const headers = Object.fromEntries(new Headers(init.headers));
    return new Promise<Response>((resolve, reject) => {
      const outgoing = request({ socketPath: path, path: pathname + search, method, headers });
      const onAbort = (): void => void outgoing.destroy(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      outgoing.on("response", (incoming) => {
        const { statusCode: status = 0, statusMessage: statusText = "" } = incoming;
        const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
        if (!hasBody) incoming.resume();
        const stream = hasBody ? Readable.toWeb(incoming) as unknown as ReadableStream : null;
        const answered = Object.entries(incoming.headers).map(([name, value]) =>
          [name, String(value)] as [string, string]
        );
        resolve(new Response(stream, { status, statusText, headers: answered }));
      });
      outgoing.on("error", (error) =>
        // As fetch does: an abort is told as it is, all else is a failure of the network.
        reject(
          signal?.aborted === true
            ? signal.reason
            : new TypeError("fetch failed", { cause: error }),
        ));
      outgoing.on("close", () => signal?.removeEventListener("abort", onAbort));
      if (signal?.aborted === true) onAbort();
      outgoing.end(body ?? undefined);
    });
  };
}

/**
 * Opens a WebSocket through a unix socket.
 *
 * @throws {ConnectError} when the runtime has no unix sockets, or is Node without the package `ws`
 */
export async function openUnixWebSocket(
  socket: string,
  path: string,
  protocol: string,
): Promise<WebSocket> {
  const runtime = deno();
  if (runtime !== undefined) {
    const options = { protocols: [protocol], client: clientOf(runtime, socket) };
    return new WebSocket(`ws://localhost${path}`, options as unknown as string[]);
  }
  requireNode();
  const NodeWebSocket = await nodeWebSocket();
  return new NodeWebSocket(`ws+unix:${socket}:${path}`, protocol);
}

/**
 * The WebSocket of the package `ws`, which can do what Node's own cannot.
 *
 * @throws {ConnectError} when the package is not there
 */
export async function nodeWebSocket(): Promise<typeof WebSocket> {
  try {
    // Its name is no literal, since a bundler for browsers would look for it.
    const name = "ws";
    const { WebSocket } = await import(name) as { WebSocket: typeof globalThis.WebSocket };
    return WebSocket;
  } catch (cause) {
    throw new ConnectError(
      "Cannot open a WebSocket: this Node has none of its own that does it; install the package ws",
      { cause },
    );
  }
}
