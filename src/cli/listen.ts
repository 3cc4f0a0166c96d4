import { dirname } from "node:path/posix";
import type { Listener } from "../access/listener.ts";
import { Principal } from "../access/tokens.ts";
import type { Config } from "./config.ts";
import { EXIT, ExitError } from "./exit.ts";
import { addressText, type ListenAddress } from "./listen_address.ts";

/** Answers a request that came in at a listener. */
type Answer = (request: Request, listener: Listener) => Response | Promise<Response>;

/** A socket that accepts requests. */
export interface Listening {
  /** Its address, such as `http://127.0.0.1:8787` or `unix:/run/innkeeper/private/innkeeper.sock` */
  readonly address: string;
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
  answer: Answer,
): Promise<Listening> {
  try {
    return address.kind === "unix"
      ? await listenUnix(address, answer)
      : listenTcp(address, tls, answer);
  } catch (error) {
    if (error instanceof ExitError) throw error;
    const where = addressText(address);
    throw new ExitError(EXIT.listen, `Cannot listen on ${where}: ${(error as Error).message}`);
  }
}

async function listenUnix(
  address: ListenAddress & { kind: "unix" },
  answer: Answer,
): Promise<Listening> {
  const { path, permissions } = address;
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await removeStaleSocket(path);
  const principal = new Principal(addressText(address), permissions);
  const listener: Listener = { kind: "unix", principal };
  const server = Deno.serve(
    { path, onListen: () => {} },
    (request) => answer(request, listener),
  );
  Deno.chmodSync(path, 0o600);
  return { address: addressText(address), stop: () => server.shutdown() };
}

function listenTcp(
  address: ListenAddress & { kind: "tcp" },
  tls: Config["tls"],
  answer: Answer,
): Listening {
  const { hostname, port } = address;
  const keys = tls === undefined
    ? {}
    : { cert: Deno.readTextFileSync(tls.certFile), key: Deno.readTextFileSync(tls.keyFile) };
  const server = Deno.serve(
    { hostname, port, onListen: () => {}, ...keys },
    (request) => answer(request, { kind: "tcp" }),
  );
  const place = addressText({ ...address, port: server.addr.port });
  return {
    address: `${tls === undefined ? "http" : "https"}://${place}`,
    stop: () => server.shutdown(),
  };
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
