import { ConnectError } from "./connect_error.ts";
import { unixFetch } from "./unix_socket.ts";

/** A secret, or what gets it anew for each connection. */
type Secret = string | (() => string | Promise<string>);

/** Where a daemon is, and what it takes to be let in. */
export interface Endpoint {
  /** Base address, such as `http://127.0.0.1:8787`. It may be left out with {@linkcode socket}. */
  readonly url?: string | undefined;
  /** One of the daemon's token file. Needed over TCP. */
  readonly token?: Secret | undefined;
  /** Path of the daemon's unix socket, in Deno and Node. It takes no token. */
  readonly socket?: string | undefined;
  /** A fetch to be used instead of the runtime's own. */
  readonly fetch?: typeof fetch | undefined;
}

/** The same for WebSockets, which a page without a token opens by tickets. */
export interface SocketEndpoint extends Endpoint {
  /**
   * A ticket of `POST /v1/tickets`, which is good once. Give a function that gets another one if
   * the connection is to be made again when it is lost.
   */
  readonly ticket?: Secret | undefined;
}

/**
 * The base address, without a slash at its end.
 *
 * @throws {ConnectError} when it is missing or no address of HTTP
 */
export function baseOf({ url, socket }: Endpoint): string {
  if (url === undefined && socket === undefined) {
    throw new ConnectError("Cannot connect: give url or socket");
  }
  const base = hrefOf(url ?? "http://localhost");
  if (base !== undefined && /^(http|ws)s?:/i.test(base)) {
    return base.replace(/^ws/i, "http").replace(/[?#].*$/, "").replace(/\/+$/, "");
  }
  throw new ConnectError(
    `Cannot connect to ${JSON.stringify(url)}: give an address such as http://127.0.0.1:8787`,
  );
}

/** The address as a whole: a page may give one that is relative to its own. */
function hrefOf(url: string): string | undefined {
  const { location } = globalThis as { location?: { readonly href: string } };
  try {
    return new URL(url, location?.href).href;
  } catch {
    return undefined;
  }
}

/** The secret itself. */
export async function reveal(secret: Secret): Promise<string> {
  return typeof secret === "string" ? secret : await secret();
}

/**
 * The headers that let a request in.
 *
 * @throws {ConnectError} when the token cannot be one
 */
export async function credentials({ token }: Endpoint): Promise<Record<string, string>> {
  if (token === undefined) return {};
  const text = (await reveal(token)).trim();
  if (/^[!-~]+$/.test(text)) return { authorization: `Bearer ${text}` };
  throw new ConnectError(
    "Cannot connect with this token: it is empty or more than one word; give one of the token file",
  );
}

/**
 * The fetch that reaches the daemon.
 *
 * @throws {ConnectError} when the runtime has no unix sockets
 */
export async function fetchOf({ fetch: own, socket }: Endpoint): Promise<typeof fetch> {
  return own ?? (socket === undefined ? fetch : await unixFetch(socket));
}
