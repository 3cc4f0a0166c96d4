import { parseArgs } from "node:util";
import { type Endpoint, HttpClient } from "../client/http_client.ts";
import { parseConfig } from "./config.ts";
import { environment } from "./environment.ts";
import { UsageError } from "./exit.ts";
import { readTokens } from "./token_file.ts";

/** The flags that say how to connect, for the help of every command. */
export const CONNECT_HELP = `  --socket PATH        the daemon's unix socket; INNKEEPER_SOCKET
      [RUN/private/innkeeper.sock, RUN as for serve]
  --url URL            its TCP address instead; INNKEEPER_URL
  --token-file FILE    with --url: the token is its first one; INNKEEPER_TOKEN holds one itself
`;

const FLAGS = ["socket", "url", "token-file"] as const;
type FlagValues = { [Flag in typeof FLAGS[number]]?: string };

/** A way to a daemon. */
export interface Connection {
  /** Its socket's path or its base address: what tells one daemon from another. */
  readonly address: string;
  readonly client: HttpClient;
  /** Opens a WebSocket of the daemon; the watch socket when no path is given. */
  openSocket(protocol: string, path?: string): WebSocket;
}

/**
 * Finds the daemon that the arguments or the environment name.
 *
 * @returns The way to it, and the arguments that are left for the command
 * @throws {UsageError} when the token file cannot be used
 */
export function connect(args: readonly string[]): Connection & { readonly rest: string[] } {
  const { values, rest } = split(args);
  const url = values.url ?? environment.env("INNKEEPER_URL");
  const address = url?.replace(/\/+$/, "") ?? values.socket ??
    environment.env("INNKEEPER_SOCKET") ?? defaultSocket();
  const { endpoint, options } = url === undefined
    ? overSocket(address)
    : overTcp(address, tokenOf(values["token-file"]));
  const base = endpoint.url.replace(/^http/, "ws");
  return {
    address,
    client: new HttpClient(endpoint),
    openSocket: (protocol, path = "/v1/watch") =>
      new WebSocket(`${base}${path}`, { ...options, protocols: [protocol] }),
    rest,
  };
}

function overSocket(path: string): { endpoint: Endpoint; options: WebSocketOptions } {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const throughSocket: typeof fetch = (input, init) => fetch(input, { ...init, client });
  return { endpoint: { url: "http://localhost", fetch: throughSocket }, options: { client } };
}

function overTcp(url: string, token: string): { endpoint: Endpoint; options: WebSocketOptions } {
  return { endpoint: { url, token }, options: { headers: { authorization: `Bearer ${token}` } } };
}

/** Takes {@linkcode FLAGS} out wherever they stand, so that a command parses only its own flags. */
function split(args: readonly string[]): { values: FlagValues; rest: string[] } {
  const end = args.indexOf("--");
  const { tokens } = parseArgs({
    args: args.slice(0, end < 0 ? args.length : end),
    options: Object.fromEntries(FLAGS.map((name) => [name, { type: "string" as const }])),
    strict: false,
    tokens: true,
  });
  const values: FlagValues = {};
  const taken = new Set<number>();
  for (const token of tokens) {
    const flag = FLAGS.find((name) => token.kind === "option" && name === token.name);
    if (flag === undefined || token.kind !== "option" || token.value === undefined) continue;
    values[flag] = token.value;
    taken.add(token.index);
    if (!token.inlineValue) taken.add(token.index + 1);
  }
  return { values, rest: args.filter((_arg, index) => !taken.has(index)) };
}

function defaultSocket(): string {
  return `${parseConfig([], environment).run}/private/innkeeper.sock`;
}

function tokenOf(file: string | undefined): string {
  const token = file === undefined
    ? environment.env("INNKEEPER_TOKEN")
    : readTokens(file)[0]?.token;
  if (token !== undefined) return token;
  throw new UsageError(
    file === undefined
      ? "Cannot call over TCP without a token: give --token-file FILE or set INNKEEPER_TOKEN"
      : `Cannot use the token file ${file}: it holds no token`,
  );
}
