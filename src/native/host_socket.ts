import type { HostSocket, HostSockets } from "../core/ports/host_socket.ts";
import * as linux from "./constants.ts";
import { openPath } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";

const COOKIE_BYTES = 8;
/** As much of it as is read; Linux gives the beginning of what it has. */
const TCP_INFO_BYTES = linux.TCP_INFO_STRUCT.tcpi_bytes_received + 8;

/** A socket of this process that Deno has opened, and that Deno closes. */
class NativeHostSocket implements HostSocket {
  readonly #libc: Libc;
  readonly #descriptor: number;
  /** The kernel's number of the socket. A descriptor that was closed may be another one's by now. */
  readonly #cookie: bigint | undefined;

  constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
    this.#cookie = this.#readCookie();
  }

  get cookie(): bigint | undefined {
    return this.#cookie;
  }

  peek(into: Uint8Array<ArrayBuffer>): number | undefined {
    const flags = linux.MSG_PEEK | linux.MSG_DONTWAIT;
    const size = BigInt(into.byteLength);
    const count = this.#libc.symbols.recv(this.#descriptor, into, size, flags);
    if (count >= 0n) return Number(count);
    // Any failure but this one means that the connection is over.
    return this.#libc.errno() === "EAGAIN" ? undefined : 0;
  }

  receivedBytes(): bigint | undefined {
    const info = this.#option(linux.IPPROTO_TCP, linux.TCP_INFO, TCP_INFO_BYTES);
    return info?.getBigUint64(linux.TCP_INFO_STRUCT.tcpi_bytes_received, true);
  }

  shutdown(): void {
    if (this.#cookie === undefined || this.#readCookie() !== this.#cookie) return;
    this.#libc.symbols.shutdown(this.#descriptor, linux.SHUT_RDWR);
  }

  #readCookie(): bigint | undefined {
    return this.#option(linux.SOL_SOCKET, linux.SO_COOKIE, COOKIE_BYTES)?.getBigUint64(0, true);
  }

  /** An option of the socket; `undefined` when it has none of that name. */
  #option(level: number, name: number, size: number): DataView | undefined {
    const value = new Uint8Array(size);
    const length = Uint32Array.of(size);
    const result = this.#libc.symbols.getsockopt(this.#descriptor, level, name, value, length);
    return result === 0 ? new DataView(value.buffer) : undefined;
  }
}

/** The sockets of this process. */
export class NativeHostSockets implements HostSockets {
  readonly #libc: Libc;
  /** By descriptor, the socket that was found there last. */
  readonly #found = new Map<number, bigint>();

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  of(descriptor: number): HostSocket {
    return new NativeHostSocket(this.#libc, descriptor);
  }

  nextDescriptor(): number {
    const { symbols } = this.#libc;
    const descriptor = symbols.fcntl(0, linux.F_DUPFD_CLOEXEC, 0);
    symbols.close(descriptor);
    return descriptor;
  }

  acceptedAt(path: string, likely: number): HostSocket | undefined {
    const first = this.#newAt(path, likely);
    if (first !== undefined) return first;
    using folder = openPath(this.#libc, "/proc/self/fd", linux.O_DIRECTORY);
    for (const { name } of readDirents(folder)) {
      const found = this.#newAt(path, Number(new TextDecoder().decode(name)));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A connection to a path that was not found before. */
  #newAt(path: string, descriptor: number): HostSocket | undefined {
    if (this.#nameOf(descriptor) !== path) return undefined;
    const socket = new NativeHostSocket(this.#libc, descriptor);
    const { cookie } = socket;
    if (cookie === undefined || this.#found.get(descriptor) === cookie) return undefined;
    this.#found.set(descriptor, cookie);
    return socket;
  }

  /** The path that an accepted unix socket has from its listener. */
  #nameOf(descriptor: number): string | undefined {
    const address = new Uint8Array(linux.SOCKADDR_UN_STRUCT.size);
    const length = Uint32Array.of(address.byteLength);
    const { getsockname, getpeername } = this.#libc.symbols;
    // The listener has the same name, and nobody at the other end.
    if (getpeername(descriptor, address, length) !== 0) return undefined;
    length[0] = address.byteLength;
    if (getsockname(descriptor, address, length) !== 0) return undefined;
    const { sun_family, sun_path } = linux.SOCKADDR_UN_STRUCT;
    if (new DataView(address.buffer).getUint16(sun_family, true) !== linux.AF_UNIX) {
      return undefined;
    }
    const end = address.indexOf(0, sun_path);
    const bytes = address.subarray(sun_path, end < 0 ? length[0] : Math.min(end, length[0] ?? 0));
    return new TextDecoder().decode(bytes);
  }
}
