import type { Endpoint } from "../client/endpoint.ts";
import { HttpClient } from "../client/http_client.ts";
import { defaultRun } from "./config.ts";
import type { ConnectFlags } from "./connect_options.ts";
import { environment } from "./environment.ts";
import { UsageError } from "./exit.ts";
import { envName } from "./serve_flags.ts";

/** A way to a daemon. */
export interface Connection {
  /** Its socket's path or its base address: what tells one daemon from another. */
  readonly address: string;
  readonly client: HttpClient;
  /** Opens a WebSocket of the daemon; the watch socket when no path is given. */
  openSocket(protocol: string, path?: string, headers?: Record<string, string>): WebSocket;
}

/**
 * Finds the daemon that the flags or the environment name. A flag wins over the environment.
 *
 * @throws {UsageError} when the token file cannot be used
 */
export async function connect(flags: ConnectFlags): Promise<Connection> {
  const { env } = environment;
  const url = flags.url ?? (flags.socket === undefined ? env("INNKEEPER_URL") : undefined);
  const address = url?.replace(/\/+$/, "") ?? flags.socket ?? env("INNKEEPER_SOCKET") ??
    defaultSocket();
  const { endpoint, options } = url === undefined
    ? overSocket(address)
    : overTcp(address, await tokenOf(flags["token-file"]));
  const base = endpoint.url.replace(/^http/, "ws");
  return {
    address,
    client: new HttpClient(endpoint),
    openSocket: (protocol, path = "/v1/watch", headers = {}) =>
      new WebSocket(`${base}${path}`, {
        ...options,
        headers: { ...options.headers as Record<string, string>, ...headers },
        protocols: [protocol],
      }),
  };
}

/** A way to a daemon, and what its WebSockets are opened with. */
interface Way {
  readonly endpoint: Endpoint & { readonly url: string };
  readonly options: WebSocketOptions;
}

function overSocket(path: string): Way {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const throughSocket: typeof fetch = (input, init) => fetch(input, { ...init, client });
  return { endpoint: { url: "http://localhost", fetch: throughSocket }, options: { client } };
}

function overTcp(url: string, token: string): Way {
  return { endpoint: { url, token }, options: { headers: { authorization: `Bearer ${token}` } } };
}

function defaultSocket(): string {
  return `${environment.env(envName("run")) || defaultRun(environment)}/private/innkeeper.sock`;
}

async function tokenOf(file: string | undefined): Promise<string> {
  const token = file === undefined
    ? environment.env("INNKEEPER_TOKEN")
    // What it needs takes long to load.
    : (await import("./token_file.ts")).readTokens(file)[0]?.token;
  if (token !== undefined) return token;
  throw new UsageError(
    file === undefined
      ? "Cannot call over TCP without a token: give --token-file FILE or set INNKEEPER_TOKEN"
      : `Cannot use the token file ${file}: it holds no token`,
  );
}
