import { dirname } from "node:path/posix";
import type { Listener } from "../access/listener.ts";
import { Principal } from "../access/tokens.ts";
import type { Config, ListenAddress } from "./config.ts";
import { EXIT, ExitError } from "./exit.ts";

/** Answers a request that came in at a listener. */
type Answer = (request: Request, listener: Listener) => Response | Promise<Response>;

/** A socket that is being listened on. */
export interface Listening {
  /** Its address, such as `http://127.0.0.1:8787` or `unix:/run/innkeeper/private/innkeeper.sock` */
  readonly address: string;
  /** Takes no new request and waits for the running ones, at most until `signal` fires. */
  stop(signal: AbortSignal): Promise<void>;
}

/**
 * Starts to listen.
 *
 * @throws {ExitError} when the address is taken or not allowed
 */
export async function listen(
  address: ListenAddress,
  tls: Config["tls"],
  answer: Answer,
): Promise<Listening> {
  try {
    return address.kind === "unix"
      ? await listenUnix(address, answer)
      : listenTcp(address, tls, answer);
  } catch (error) {
    if (error instanceof ExitError) throw error;
    const where = address.kind === "unix" ? address.path : `${address.hostname}:${address.port}`;
    throw new ExitError(EXIT.listen, `Cannot listen on ${where}: ${(error as Error).message}`);
  }
}

async function listenUnix(
  { path, permissions }: ListenAddress & { kind: "unix" },
  answer: Answer,
): Promise<Listening> {
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await removeStaleSocket(path);
  const listener: Listener = { kind: "unix", principal: new Principal("unix socket", permissions) };
  const server = Deno.serve(
    { path, onListen: () => {} },
    (request) => answer(request, listener),
  );
  Deno.chmodSync(path, 0o600);
  return { address: `unix:${path}`, stop: (signal) => stop(server, signal) };
}

function listenTcp(
  { hostname, port }: ListenAddress & { kind: "tcp" },
  tls: Config["tls"],
  answer: Answer,
): Listening {
  const listener: Listener = { kind: "tcp" };
  const keys = tls === undefined
    ? {}
    : { cert: Deno.readTextFileSync(tls.certFile), key: Deno.readTextFileSync(tls.keyFile) };
  const server = Deno.serve(
    { hostname, port, onListen: () => {}, ...keys },
    (request) => answer(request, listener),
  );
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    address: `${tls === undefined ? "http" : "https"}://${host}:${server.addr.port}`,
    stop: (signal) => stop(server, signal),
  };
}

async function stop(server: Deno.HttpServer<Deno.Addr>, signal: AbortSignal): Promise<void> {
  const cutOff = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  // What does not end in time ends with the process: Deno cannot abort a server in its shutdown.
  await Promise.race([server.shutdown(), cutOff]);
}

/** A socket file that nobody listens on is left over from a daemon that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  try {
    if (!Deno.lstatSync(path).isSocket) {
      throw new ExitError(EXIT.listen, `Cannot listen on ${path}: it is not a socket; remove it`);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    Deno.removeSync(path);
    return;
  }
  throw new ExitError(EXIT.listen, `Cannot listen on ${path}: another daemon listens there`);
}
