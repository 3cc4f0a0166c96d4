/**
 * Parts of Deno that it has no public name for, and what Innkeeper needs them for. `Deno.serve`
 * accepts without bound, ends when it meets the limit of file descriptors, and cannot be told to let
 * a connection go (docs/bounds.md#connections). Its own parts can. The start of the daemon looks
 * whether this Deno has them, and tests use every one.
 *
 * @module
 */
import { EXIT, ExitError } from "./exit.ts";

/** Answers the requests of one connection. */
type Handler = (
  request: Request,
  info: { readonly completed: Promise<void> },
) => Response | Promise<Response>;

/** Deno's HTTP server on one connection. */
interface ServedConnection {
  /** Resolves when the connection is over. */
  readonly finished: Promise<void>;
  /** Ends it when its request under way is answered. */
  shutdown(): Promise<void>;
}

/** What Deno's server needs of an AbortSignal. */
interface EndSignal {
  addEventListener(type: "abort", end: () => void): void;
}

type Serve = (
  connection: Deno.Conn,
  signal: EndSignal,
  handler: Handler,
  onError: (error: unknown) => Response,
  onListen: () => void,
) => ServedConnection;

/** What `Deno.upgradeWebSocket` needs of a socket of Node's. */
interface UpgradableSocket {
  readonly destroyed: boolean;
  readonly _handle: { readStop(): void; takeStream(): number };
  write(head: string, done: (error?: unknown) => void): void;
}

/**
 * Serves HTTP on a connection. No request of it may become a WebSocket.
 *
 * @returns The connection, and what ends it at once
 */
export function serveConnection(
  connection: Deno.Conn,
  handler: Handler,
): ServedConnection & { readonly end: () => void } {
  let cancel = (): void => {};
  // An AbortSignal would report it as an uncaught error that the connection has just ended itself.
  const signal = { addEventListener: (_type: "abort", end: () => void) => void (cancel = end) };
  const failed = (): Response => new Response(null, { status: 500 });
  const { finished, shutdown } = connectionServer()(connection, signal, handler, failed, () => {});
  const end = (): void => {
    try {
      cancel();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  };
  return { finished, shutdown, end };
}

/**
 * Turns a connection whose request was read into a WebSocket. Whoever upgrades a request that
 * `Deno.serve` has read gets a WebSocket that nothing but its peer can end.
 */
export function upgradeConnection(
  connection: Deno.Conn,
  request: Request,
  options: Deno.UpgradeWebSocketOptions,
): Deno.WebSocketUpgrade {
  const stream = partOf(connection, "Deno.internal.rid");
  const socket: UpgradableSocket = {
    destroyed: false,
    _handle: { readStop: () => {}, takeStream: () => stream },
    write: (head, done) =>
      void writeAll(connection, new TextEncoder().encode(head)).then(() => done(), done),
  };
  const parts = { ...options, socket, head: new Uint8Array(0) };
  return Deno.upgradeWebSocket(request, parts as unknown as Deno.UpgradeWebSocketOptions);
}

/** Writes all bytes to a connection. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) done += await connection.write(bytes.subarray(done));
}

/** The file descriptor of a connection over TCP. */
export function descriptorOf(connection: Deno.Conn): number {
  return partOf(connection, "Deno.internal.fd");
}

/** @throws {ExitError} when this Deno lacks the server for one connection */
export function connectionServer(): Serve {
  const { internal } = Deno as unknown as { internal: symbol };
  const parts = (Deno as unknown as Record<symbol, { serveHttpOnConnection?: Serve }>)[internal];
  return parts?.serveHttpOnConnection ?? lacking("serveHttpOnConnection");
}

function partOf(connection: Deno.Conn, name: string): number {
  for (let at: object | null = connection; at !== null; at = Object.getPrototypeOf(at)) {
    const symbol = Object.getOwnPropertySymbols(at).find(({ description }) => description === name);
    const value = symbol && (connection as unknown as Record<symbol, unknown>)[symbol];
    if (typeof value === "number") return value;
  }
  return lacking(name);
}

function lacking(part: string): never {
  throw new ExitError(
    EXIT.host,
    `Cannot serve HTTP with Deno ${Deno.version.deno}, which has no ${part}: run Deno 2.9.6`,
  );
}
