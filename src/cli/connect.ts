import { parseArgs } from "node:util";
import { HttpClient, type Reach } from "../client/http_client.ts";
import { parseTokenFile } from "../access/tokens.ts";
import { parseConfig } from "./config.ts";
import { UsageError } from "./exit.ts";
import type { OpenSocket } from "./command.ts";
import { environment } from "./environment.ts";

/** The flags that say how to reach a daemon, for the help of every command. */
export const CONNECT_HELP = `  --socket PATH        the daemon's unix socket; INNKEEPER_SOCKET
      [RUN/private/innkeeper.sock, RUN as for serve]
  --url URL            its TCP address instead; INNKEEPER_URL
  --token-file FILE    with --url: the token is its first one; INNKEEPER_TOKEN holds one itself
`;

/** How to reach a daemon, and the words that are left for the command. */
export interface ReachedDaemon {
  readonly client: HttpClient;
  readonly openSocket: OpenSocket;
  readonly rest: readonly string[];
}

const FLAGS = ["socket", "url", "token-file"] as const;

/**
 * Reads how to reach the daemon from the words of a command.
 *
 * @throws {UsageError} when the token file is of no use
 */
export function connectDaemon(args: readonly string[]): ReachedDaemon {
  const { values, rest } = split(args);
  const url = values.url ?? environment.env("INNKEEPER_URL");
  const { reach, options } = url === undefined
    ? overSocket(values.socket ?? environment.env("INNKEEPER_SOCKET") ?? defaultSocket())
    : overTcp(url.replace(/\/+$/, ""), tokenOf(values["token-file"]));
  const base = reach.url.replace(/^http/, "ws");
  return {
    client: new HttpClient(reach),
    openSocket: (protocol, path = "/v1/watch") =>
      new WebSocket(`${base}${path}`, { ...options, protocols: [protocol] }),
    rest,
  };
}

function overSocket(path: string): { reach: Reach; options: WebSocketOptions } {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const throughSocket: typeof fetch = (input, init) => fetch(input, { ...init, client });
  return { reach: { url: "http://localhost", fetch: throughSocket }, options: { client } };
}

function overTcp(url: string, token: string): { reach: Reach; options: WebSocketOptions } {
  return { reach: { url, token }, options: { headers: { authorization: `Bearer ${token}` } } };
}

/** The words of {@linkcode FLAGS} taken out, so that each command parses only its own. */
function split(
  args: readonly string[],
): { values: Partial<Record<typeof FLAGS[number], string>>; rest: string[] } {
  const end = args.indexOf("--");
  const own = end < 0 ? [...args] : args.slice(0, end);
  const options = Object.fromEntries(FLAGS.map((name) => [name, { type: "string" as const }]));
  const { tokens } = parseArgs({ args: own, options, strict: false, tokens: true });
  const values: Partial<Record<typeof FLAGS[number], string>> = {};
  const taken = new Set<number>();
  for (const token of tokens) {
    if (token.kind !== "option" || token.value === undefined) continue;
    const flag = FLAGS.find((name) => name === token.name);
    if (flag === undefined) continue;
    values[flag] = token.value;
    taken.add(token.index);
    if (!token.inlineValue) taken.add(token.index + 1);
  }
  return { values, rest: args.filter((_word, index) => !taken.has(index)) };
}

function defaultSocket(): string {
  return `${parseConfig([], environment).run}/private/innkeeper.sock`;
}

function tokenOf(file: string | undefined): string {
  const given = environment.env("INNKEEPER_TOKEN");
  if (file === undefined && given !== undefined) return given;
  if (file === undefined) {
    throw new UsageError("Cannot call over TCP without a token: give --token-file FILE");
  }
  try {
    const [first] = parseTokenFile(Deno.readTextFileSync(file));
    if (first !== undefined) return first.token;
  } catch (error) {
    throw new UsageError(`Cannot use the token file ${file}: ${(error as Error).message}`);
  }
  throw new UsageError(`Cannot use the token file ${file}: it holds no token`);
}
