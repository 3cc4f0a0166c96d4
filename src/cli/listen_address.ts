import { splitGrants } from "../access/grants.ts";
import { U32_MAX } from "../core/limits.ts";
import { UsageError } from "./exit.ts";

/** Where the daemon listens. */
export type ListenAddress =
  /** Everyone who can open the socket has these grants. */
  | { readonly kind: "unix"; readonly path: string; readonly permissions: readonly string[] }
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  /** Guests of this host. Without grants each caller needs a token, as over TCP. */
  | {
    readonly kind: "vsock";
    readonly port: number;
    readonly permissions: readonly string[] | undefined;
  };

/** An address as people write it: `unix:/run/innkeeper.sock`, `127.0.0.1:8787` or `[::1]:8787`. */
export function addressText(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  if (address.kind === "vsock") return `vsock:${address.port}`;
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * Reads `unix:PATH[,permissions=a+b:PATTERN]`, the same with `vsock:PORT`, or `HOST:PORT`. `scopes=` is an older word for
 * `permissions=`.
 *
 * @param resolve Makes a path absolute
 * @throws {UsageError}
 */
export function parseListen(text: string, resolve: (path: string) => string): ListenAddress {
  try {
    if (text.startsWith("vsock:")) return parseVsock(text.slice(6));
    return text.startsWith("unix:") ? parseUnix(text.slice(5), resolve) : parseTcp(text);
  } catch (error) {
    throw new UsageError(`Cannot listen on "${text}": ${(error as Error).message}`);
  }
}

function parseUnix(text: string, resolve: (path: string) => string): ListenAddress {
  const [socket = "", ...options] = text.split(",");
  if (socket === "") throw new RangeError("the path is missing");
  return { kind: "unix", path: resolve(socket), permissions: grantsIn(options) ?? ["admin"] };
}

function parseVsock(text: string): ListenAddress {
  const [digits = "", ...options] = text.split(",");
  const port = /^[0-9]{1,10}$/.test(digits) ? Number(digits) : NaN;
  // The last number stands for any.
  if (!(port < U32_MAX)) throw new RangeError("it must be vsock:PORT, with a port of 32 bits");
  return { kind: "vsock", port, permissions: grantsIn(options) };
}

function grantsIn(options: readonly string[]): readonly string[] | undefined {
  let permissions: readonly string[] | undefined;
  for (const option of options) {
    const grants = /^(?:permissions|scopes)=(.*)$/.exec(option)?.[1];
    if (grants === undefined) throw new RangeError(`unknown option "${option}"`);
    permissions = splitGrants(grants, "+");
  }
  return permissions;
}

function parseTcp(text: string): ListenAddress {
  const [, hostname = "", digits] = /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65_535)) throw new RangeError("it must be unix:PATH, vsock:PORT or HOST:PORT");
  return { kind: "tcp", hostname: hostname.replace(/^\[|\]$/g, ""), port };
}

/** @throws {UsageError} for an address that other machines could reach */
export function requireLoopback(address: ListenAddress): void {
  // A vsock does not leave the host.
  if (address.kind !== "tcp") return;
  const { hostname } = address;
  if (hostname === "localhost" || hostname === "::1" || /^127\.[0-9.]+$/.test(hostname)) return;
  throw new UsageError(
    `Cannot listen on ${hostname} without TLS: give --tls-cert and --tls-key, or ` +
      "--insecure-listen if the network in between is yours alone",
  );
}
