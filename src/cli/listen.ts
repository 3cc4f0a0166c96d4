import { dirname } from "node:path/posix";
import { ACCEPT_BACKLOG_MAX } from "../core/limits.ts";
import type { Listener } from "../access/listener.ts";
import { Principal } from "../access/tokens.ts";
import type { Config } from "./config.ts";
import { EXIT, ExitError } from "./exit.ts";
import { type AnswerOn, HttpServer, type HttpServerParts } from "./http_server.ts";
import { addressText, type ListenAddress } from "./listen_address.ts";
import { listenVsock } from "./listen_vsock.ts";
import { listenTls } from "./listen_tls.ts";

/** Answers a request that came in at a listener. */
type Answer = (
  request: Request,
  listener: Listener,
  ...connection: OnConnection
) => Response | Promise<Response>;

type OnConnection = Parameters<AnswerOn> extends [Request, ...infer Rest] ? Partial<Rest> : never;

/** What listeners work with. */
interface ListenParts extends Omit<HttpServerParts, "answer"> {
  readonly answer: Answer;
}

/** A socket that accepts requests. */
export interface Listening {
  /** Its address, such as `http://127.0.0.1:8787` or `unix:/run/innkeeper/private/innkeeper.sock` */
  readonly address: string;
  /**
   * Reads the certificate and its key again. Running requests end under the one before.
   *
   * @throws {Error} when they cannot be used; the ones before stay
   */
  renew?(): Promise<void>;
  /** Accepts nothing new, and resolves when the running requests have ended. */
  stop(): Promise<void>;
}

/**
 * Starts to listen.
 *
 * @throws {ExitError} when the address is taken or not allowed
 */
export async function listen(
  address: ListenAddress,
  tls: Config["tls"],
  parts: ListenParts,
): Promise<Listening> {
  try {
    if (address.kind === "vsock") return listenVsock(address, parts.answer);
    return address.kind === "unix"
      ? await listenUnix(address, parts)
      : listenTcp(address, tls, parts);
  } catch (error) {
    if (error instanceof ExitError) throw error;
    const where = addressText(address);
    throw new ExitError(EXIT.listen, `Cannot listen on ${where}: ${(error as Error).message}`);
  }
}

async function listenUnix(
  address: ListenAddress & { kind: "unix" },
  parts: ListenParts,
): Promise<Listening> {
  const { path, permissions } = address;
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await removeStaleSocket(path);
  const principal = new Principal(addressText(address), permissions);
  const listener: Listener = { kind: "unix", principal };
  const accepting = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  const server = new HttpServer(accepting, {
    ...parts,
    answer: (request, ...on) => parts.answer(request, listener, ...on),
  });
  return { address: addressText(address), stop: () => server.stop() };
}

function listenTcp(
  address: ListenAddress & { kind: "tcp" },
  tls: Config["tls"],
  parts: ListenParts,
): Listening {
  const { hostname, port } = address;
  if (tls !== undefined) {
    return listenTls(address, tls, (request) => parts.answer(request, { kind: "tcp" }));
  }
  const accepting = Deno.listen({ hostname, port, tcpBacklog: ACCEPT_BACKLOG_MAX });
  const server = new HttpServer(accepting, {
    ...parts,
    answer: (request, ...on) => parts.answer(request, { kind: "tcp" }, ...on),
  });
  const place = addressText({ ...address, port: (accepting.addr as Deno.NetAddr).port });
  return { address: `http://${place}`, stop: () => server.stop() };
}

/** A socket file that nobody listens on is left over from a daemon that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  const refusal = (why: string): ExitError =>
    new ExitError(EXIT.listen, `Cannot listen on ${path}: ${why}`);
  try {
    if (!Deno.lstatSync(path).isSocket) throw refusal("it is not a socket; remove it");
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    Deno.removeSync(path);
    return;
  }
  throw refusal("another daemon listens there");
}
