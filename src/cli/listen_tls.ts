import { createPrivateKey, X509Certificate } from "node:crypto";
import { delay } from "@std/async";
import type { Config } from "./config.ts";
import { addressText, type ListenAddress } from "./listen_address.ts";

type TlsFiles = NonNullable<Config["tls"]>;

/** A certificate and its key, as PEM. */
interface Keys {
  readonly cert: string;
  readonly key: string;
}

/** A TCP socket that accepts requests over TLS. */
interface ListeningTls {
  readonly address: string;
  renew(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Listens for TLS. Deno decrypts and serves in one: what it accepts is not counted
 * (docs/bounds.md#connections).
 */
export function listenTls(
  address: ListenAddress & { kind: "tcp" },
  files: TlsFiles,
  answer: (request: Request) => Response | Promise<Response>,
): ListeningTls {
  const { hostname } = address;
  const serve = (port: number, keys: Keys) =>
    Deno.serve({ hostname, port, onListen: () => {}, ...keys }, answer);
  let keys = readKeys(files);
  let server = serve(address.port, keys);
  const { port } = server.addr;
  return {
    address: `https://${addressText({ ...address, port })}`,
    async renew() {
      const next = readKeys(files);
      requirePair(next);
      requireGrant(`${hostname}:${port}`);
      // It takes a moment until the address is free again; who connects meanwhile must try again.
      void server.shutdown();
      try {
        server = await soon(() => serve(port, next));
        keys = next;
      } catch (error) {
        server = await soon(() => serve(port, keys));
        throw error;
      }
    },
    stop: () => server.shutdown(),
  };
}

function readKeys({ certFile, keyFile }: TlsFiles): Keys {
  return { cert: Deno.readTextFileSync(certFile), key: Deno.readTextFileSync(keyFile) };
}

/** @throws {Error} when they are not a certificate and its key, as while they are being replaced */
function requirePair({ cert, key }: Keys): void {
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  throw new RangeError("the key is not that of the certificate");
}

/** @throws {Error} when this process may not listen there again */
function requireGrant(host: string): void {
  if (Deno.permissions.querySync({ name: "net", host }).state === "granted") return;
  throw new Error(`this process was not granted ${host}: restart it`);
}

const TRIES = 100;
const TRY_AGAIN_MS = 10;

/** Listens as soon as the address is free. */
async function soon<Server>(serve: () => Server): Promise<Server> {
  for (let tries = 1;; tries++) {
    try {
      return serve();
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries >= TRIES) throw error;
      await delay(TRY_AGAIN_MS);
    }
  }
}
