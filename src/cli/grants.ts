import { dirname } from "node:path/posix";
import type { Config } from "./config.ts";
import { addressText, type ListenAddress } from "./listen_address.ts";
import { ANY_CID } from "./listen_vsock.ts";
import { listenerSlot } from "./listener_sockets.ts";
import { envName } from "./serve_flags.ts";

/**
 * Deno's permission flags for a daemon of this configuration, as narrow as Deno allows. They
 * bound what the JavaScript side does by mistake; the C library can do whatever the user can
 * (SECURITY.md).
 *
 * @param appFolder The folder of this program; the Workers of guests are started from it
 * @param libcPath The one library that may be opened
 */
export function grantsOf(config: Config, appFolder: string, libcPath: string): readonly string[] {
  const sockets = config.listen.flatMap((address) =>
    address.kind === "unix" ? [address.path, dirname(address.path)] : []
  );
  const tls = config.tls === undefined ? [] : [config.tls.certFile, config.tls.keyFile];
  const remotes = config.remotes.map((prefix) => {
    const { hostname, port, protocol } = new URL(prefix);
    return `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
  });
  return [
    allow("read", [appFolder, config.state, config.run, config.tokenFile, ...tls, ...sockets]),
    allow("write", [config.state, config.run, ...sockets]),
    allow("net", [
      ...config.listen.map((one) => listenGrant(one, config.tls)),
      `unix:${listenerSlot(config)}`,
      ...remotes,
    ]),
    allow("env", [envName("*"), "XDG_*", "HOME"]),
    allow("ffi", [libcPath]),
  ];
}

/** A listener with a certificate listens again on its port, whichever it was, when that is renewed. */
function listenGrant(address: ListenAddress, tls: Config["tls"]): string {
  if (address.kind === "vsock") return `vsock:${ANY_CID}:${address.port}`;
  const text = addressText(address);
  return address.kind === "tcp" && address.port === 0 && tls !== undefined
    ? text.replace(/:0$/, "")
    : text;
}

function allow(permission: string, values: readonly string[]): string {
  return `--allow-${permission}=${[...new Set(values)].join(",")}`;
}
