import { REMOTE_MS_MAX } from "../core/limits.ts";
import type { BackingAttributes, BackingFile, BackingLook } from "../core/ports/backing_file.ts";
import type { RemoteFiles } from "../core/ports/remote_files.ts";
import { crc32c } from "./crc32c.ts";
import { SystemError } from "../core/system_error.ts";

/** The description of a file by its server. */
interface Described {
  readonly sizeBytes: bigint;
  readonly modificationTimeNs: bigint;
  /** Differs from one content to the next, as far as the server says. */
  readonly version: string;
  readonly etag: string | undefined;
}

const NS_PER_MS = 1_000_000n;
const CONTENT_RANGE = /^bytes\s+([0-9]+)-([0-9]+)\/([0-9]+)$/i;

/**
 * Files behind URLs of a few allowed prefixes, read by ranges (RFC 9110 §14). Redirects are not
 * followed, because they could lead to a URL that no prefix allows.
 */
export class HttpRemoteFiles implements RemoteFiles {
  readonly #prefixes: readonly URL[];

  /** @param remotes URL prefixes, compared by whole path segments */
  constructor(remotes: readonly string[]) {
    this.#prefixes = remotes.map((remote) => new URL(remote));
  }

  async open(url: string): Promise<BackingFile> {
    const target = URL.canParse(url) ? new URL(url) : undefined;
    if (target === undefined || !this.#prefixes.some((prefix) => allows(prefix, target))) {
      throw new SystemError("EXDEV", "open", url);
    }
    return new RemoteFile(target.href, await describe(target.href));
  }
}

/**
 * Whether a URL is below a prefix. Both are parsed, so that neither `..`, nor another port, nor a
 * host whose name only begins like the allowed one is let through.
 */
function allows(prefix: URL, url: URL): boolean {
  const folder = prefix.pathname.endsWith("/") ? prefix.pathname : `${prefix.pathname}/`;
  const isBelow = url.pathname === prefix.pathname || url.pathname.startsWith(folder);
  // The server may decode a slash or dot, and then step up a folder.
  const isPlain = !/%(?:2e|2f|5c)/i.test(url.pathname);
  return ["http:", "https:"].includes(url.protocol) && url.origin === prefix.origin && isBelow &&
    isPlain && url.username === "" && url.password === "";
}

/** A file of another machine. A read of another version than the described one gives no bytes. */
class RemoteFile implements BackingFile {
  readonly hostPath = undefined;
  readonly #url: string;
  #described: Described;
  readonly #ending = new AbortController();

  constructor(url: string, described: Described) {
    this.#url = url;
    this.#described = described;
  }

  attributes(): BackingAttributes {
    const { sizeBytes, modificationTimeNs, version } = this.#described;
    return {
      device: 0n,
      // A remote file has no number. The URL already identifies it.
      inode: BigInt(crc32c(new TextEncoder().encode(this.#url))),
      sizeBytes,
      usageBytes: 0n,
      permissions: 0o444,
      uid: 0,
      gid: 0,
      accessTimeNs: modificationTimeNs,
      modificationTimeNs,
      statusChangeTimeNs: modificationTimeNs,
      links: 1,
      version,
    };
  }

  async look(): Promise<BackingLook> {
    this.#described = await describe(this.#url, this.#ending.signal);
    return { attributes: this.attributes(), named: true, isAtPath: true };
  }

  readNonblocking(): undefined {
    return undefined;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    const { etag, sizeBytes, version } = this.#described;
    if (offset >= sizeBytes || into.byteLength === 0) return 0;
    const response = await request(this.#url, {
      headers: {
        range: `bytes=${offset}-${offset + BigInt(into.byteLength) - 1n}`,
        ...(etag === undefined ? {} : { "if-match": etag }),
      },
    }, this.#ending.signal);
    // 412, or 200 from a server that ignores the range. In both cases look() finds out more.
    if (response.status !== 206) return await nothing(response, this.#url);
    const range = CONTENT_RANGE.exec(response.headers.get("content-range") ?? "");
    const isSame = range?.[1] === String(offset) && range[3] === String(sizeBytes) &&
      versionOf(response.headers, sizeBytes) === version;
    if (!isSame) return await nothing(response, this.#url);
    let read = 0;
    try {
      for await (const chunk of response.body ?? []) {
        const part = chunk.subarray(0, into.byteLength - read);
        into.set(part, read);
        read += part.byteLength;
        // The server may send more than was requested.
        if (read === into.byteLength) break;
      }
    } catch {
      if (read === 0) throw new SystemError("EIO", "GET", this.#url);
    }
    if (read === 0) throw new SystemError("EIO", "GET", this.#url);
    return read;
  }

  // Whatever would change the file is refused.
  readonly write = (): Promise<number> => this.#readOnly();
  readonly truncate = (): Promise<void> => this.#readOnly();
  readonly change = (): Promise<void> => this.#readOnly();
  readonly allocate = (): Promise<void> => this.#readOnly();
  readonly reserve = (): Promise<void> => this.#readOnly();
  readonly link = (): Promise<void> => this.#readOnly();
  readonly unlink = (): Promise<void> => this.#readOnly();

  async reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    const { attributes } = await this.look();
    accept(attributes);
  }

  async sync(): Promise<void> {}

  close(): void {
    this.#ending.abort();
  }

  #readOnly(): Promise<never> {
    return Promise.reject(new SystemError("EROFS", "write", this.#url));
  }
}

/** Ends an answer that is of no use, so that 0 bytes were read. */
async function nothing(response: Response, url: string): Promise<number> {
  await response.body?.cancel();
  if (![200, 206, 412, 416].includes(response.status)) {
    throw new SystemError(errnoOf(response.status), "GET", url);
  }
  return 0;
}

async function describe(url: string, ending?: AbortSignal): Promise<Described> {
  const response = await request(url, { method: "HEAD" }, ending);
  await response.body?.cancel();
  const length = response.headers.get("content-length");
  if (response.status !== 200) throw new SystemError(errnoOf(response.status), "HEAD", url);
  if (length === null || !/^[0-9]{1,19}$/.test(length)) throw new SystemError("EIO", "HEAD", url);
  if (response.headers.get("accept-ranges")?.trim().toLowerCase() === "none") {
    throw new SystemError("EIO", "HEAD", url);
  }
  const sizeBytes = BigInt(length);
  const modified = Date.parse(response.headers.get("last-modified") ?? "");
  const etag = response.headers.get("etag");
  return {
    sizeBytes,
    modificationTimeNs: Number.isNaN(modified) ? 0n : BigInt(modified) * NS_PER_MS,
    version: versionOf(response.headers, sizeBytes),
    // A weak tag does not promise equal bytes, and If-Match never matches it.
    etag: etag === null || etag.startsWith("W/") ? undefined : etag,
  };
}

function versionOf(headers: Headers, sizeBytes: bigint): string {
  return JSON.stringify([headers.get("etag"), headers.get("last-modified"), String(sizeBytes)]);
}

async function request(url: string, init: RequestInit, ending?: AbortSignal): Promise<Response> {
  const signals = [AbortSignal.timeout(REMOTE_MS_MAX), ...ending === undefined ? [] : [ending]];
  const headers = new Headers(init.headers);
  // A compressed answer has other offsets.
  headers.set("accept-encoding", "identity");
  try {
    const signal = AbortSignal.any(signals);
    return await fetch(url, { ...init, headers, redirect: "manual", signal });
  } catch {
    throw new SystemError("EIO", init.method ?? "GET", url);
  }
}

function errnoOf(status: number): string {
  if (status === 404 || status === 410) return "ENOENT";
  return status === 401 || status === 403 ? "EACCES" : "EIO";
}
