import { REMOTE_MS_MAX } from "../core/limits.ts";
import type { BackingAttributes, BackingFile, BackingLook } from "../core/ports/backing_file.ts";
import type { RemoteFiles } from "../core/ports/remote_files.ts";
import type { Range } from "../core/segments.ts";
import { RemoteError, SystemError } from "../core/system_error.ts";
import { crc32c } from "./crc32c.ts";
import { answerError, codedError, requestError } from "./remote_error.ts";

/** The description of a file by its server. */
interface Described {
  readonly sizeBytes: bigint;
  readonly modificationTimeNs: bigint;
  /** Differs from one content to the next, as far as the server says. */
  readonly version: string;
  readonly etag: string | undefined;
}

const NS_PER_MS = 1_000_000n;
/** The size in a `Content-Range`, where the server knows it. */
const SIZE = /^bytes\s+(?:[0-9]+-[0-9]+|\*)\/([0-9]{1,19})$/i;
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
    const range = { start: offset, end: offset + BigInt(into.byteLength) };
    const response = await getRange(this.#url, range, etag, this.#ending.signal);
    // Of another version than the one described: look() finds out more.
    if (response.status === 412 || response.status === 416) return await nothing(response);
    if (response.status !== 206) throw await unwanted(response, this.#url);
    const found = CONTENT_RANGE.exec(response.headers.get("content-range") ?? "");
    const isSame = found?.[1] === String(offset) && found[3] === String(sizeBytes) &&
      versionOf(response.headers, sizeBytes) === version;
    if (!isSame) return await nothing(response);
    return await this.#take(response, into);
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

  close(): Promise<void> {
    this.#ending.abort();
    return Promise.resolve();
  }

  async #take({ body }: Response, into: Uint8Array<ArrayBuffer>): Promise<number> {
    let read = 0;
    try {
      for await (const chunk of body ?? []) {
        const part = chunk.subarray(0, into.byteLength - read);
        into.set(part, read);
        read += part.byteLength;
        // The server may send more than was requested.
        if (read === into.byteLength) break;
      }
    } catch (error) {
      // A slow server is cut off in the middle of a body too; what it sent by then is good.
      const isLate = error instanceof DOMException && error.name === "TimeoutError";
      if (read === 0) throw requestError(error, isLate, "GET", this.#url);
    }
    if (read > 0) return read;
    throw new RemoteError("EIO", "GET", this.#url, "remote-failed", "the server sent no byte");
  }

  #readOnly(): Promise<never> {
    return Promise.reject(new SystemError("EROFS", "write", this.#url));
  }
}

/** Ends an answer that is of no use, so that 0 bytes were read. */
async function nothing(response: Response): Promise<number> {
  await response.body?.cancel();
  return 0;
}

/** The error of an answer that is none of the wanted ones. */
async function unwanted(response: Response, url: string): Promise<RemoteError> {
  await response.body?.cancel();
  return answerError(response, "GET", url);
}

/**
 * Asks for the first byte. HEAD is not used: some servers refuse it, an address that is signed for
 * GET does not allow it, and only an answer to a range shows that there are ranges.
 */
async function describe(url: string, ending?: AbortSignal): Promise<Described> {
  const response = await getRange(url, { start: 0n, end: 1n }, undefined, ending);
  const { status, headers } = response;
  const found = SIZE.exec(headers.get("content-range") ?? "");
  const isEmpty = status === 200 && headers.get("content-length") === "0" ||
    status === 416 && found?.[1] === "0";
  if (!isEmpty && status !== 206) throw await unwanted(response, url);
  if (!isEmpty && found?.[1] === undefined) {
    await response.body?.cancel();
    const why = "the server does not tell in Content-Range how long the file is";
    throw new RemoteError("EPROTO", "GET", url, "remote-without-ranges", why);
  }
  await response.body?.cancel();
  const sizeBytes = isEmpty ? 0n : BigInt(found?.[1] ?? 0);
  const modified = Date.parse(headers.get("last-modified") ?? "");
  const etag = headers.get("etag");
  return {
    sizeBytes,
    modificationTimeNs: Number.isNaN(modified) ? 0n : BigInt(modified) * NS_PER_MS,
    version: versionOf(headers, sizeBytes),
    // A weak tag does not promise equal bytes, and If-Match never matches it.
    etag: etag === null || etag.startsWith("W/") ? undefined : etag,
  };
}

function versionOf(headers: Headers, sizeBytes: bigint): string {
  return JSON.stringify([headers.get("etag"), headers.get("last-modified"), String(sizeBytes)]);
}

async function getRange(
  url: string,
  { start, end }: Range,
  etag: string | undefined,
  ending: AbortSignal | undefined,
): Promise<Response> {
  const late = AbortSignal.timeout(REMOTE_MS_MAX);
  const signal = AbortSignal.any(ending === undefined ? [late] : [late, ending]);
  const headers = {
    range: `bytes=${start}-${end - 1n}`,
    // A compressed answer has other offsets.
    "accept-encoding": "identity",
    ...etag === undefined ? {} : { "if-match": etag },
  };
  let response: Response;
  try {
    response = await fetch(url, { headers, redirect: "manual", signal });
  } catch (error) {
    throw requestError(error, late.aborted, "GET", url);
  }
  const coding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (coding === "identity" || !response.ok) return response;
  await response.body?.cancel();
  throw codedError(coding, "GET", url);
}
