import { NONBLOCKING_READ_BYTES_MAX } from "../core/limits.ts";
import type {
  AttributeChange,
  BackingAttributes,
  BackingFile,
  BackingLook,
} from "../core/ports/backing_file.ts";
import { SystemError } from "../core/system_error.ts";
import type { Libc, LibcSymbols, ThreadedCall } from "./libc.ts";
import { statCached, statSynced } from "./statx.ts";

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const RWF_NOWAIT = 8;
const STAGING_BYTES = NONBLOCKING_READ_BYTES_MAX;
/** The answers of preadv2 that mean "not without waiting": the last two, "not on this storage". */
const WOULD_WAIT: ReadonlySet<string> = new Set(["EAGAIN", "EOPNOTSUPP", "EINVAL"]);

/**
 * Reads that do not wait for storage. preadv2 wants the address of the memory that it fills, which
 * Deno does not tell under a scoped FFI grant; so the bytes pass through memory of our own.
 */
export class NonblockingReader implements Disposable {
  readonly #libc: Libc;
  readonly #address: bigint;
  readonly #iovec = new BigUint64Array(2);

  /** @throws {SystemError} when the staging memory cannot be had */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#address = libc.check(
      libc.symbols.mmap(0n, BigInt(STAGING_BYTES), PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n),
      "mmap",
      "staging memory",
    );
    this.#iovec[0] = this.#address;
  }

  /** As {@linkcode BackingFile.readNonblocking}. */
  read(
    fd: number,
    into: Uint8Array<ArrayBuffer>,
    offset: bigint,
    subject: string,
  ): number | undefined {
    const { symbols } = this.#libc;
    this.#iovec[1] = BigInt(Math.min(into.byteLength, STAGING_BYTES));
    const read = Number(symbols.preadv2(fd, this.#iovec, 1, offset, RWF_NOWAIT));
    if (read < 0) {
      const errno = this.#libc.errno();
      if (WOULD_WAIT.has(errno)) return undefined;
      throw new SystemError(errno, "preadv2", subject);
    }
    symbols.memcpy_to_js(into, this.#address, BigInt(read));
    return read;
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.munmap(this.#address, BigInt(STAGING_BYTES));
  }
}

/** What a path leads to, as seen by a file that was opened by it. */
export type PathLeadsTo = "it" | "another" | "nothing";

/** What only the root can do for a file in it. */
interface RootTies {
  /** What the path that the file was opened by leads to now. */
  look(): Promise<PathLeadsTo>;
  readonly reopen: BackingFile["reopen"];
  readonly link: BackingFile["link"];
  readonly unlink: BackingFile["unlink"];
}

/** What `futimens` takes for a time that stays. */
const UTIME_OMIT = 0x3ffffffen;
const NS_PER_SECOND = 1_000_000_000n;
/** Length of `struct statvfs` of sys/statvfs.h; its second and fifth word tell the room. */
const STATVFS_WORDS = 14;
/** What `fchown` takes for an id that stays. */
const SAME_ID = 0xffff_ffff;

/**
 * A regular file of this host. It is never mapped: somebody may truncate it, and touching a page
 * that is gone would end the process (SIGBUS).
 */
export class HostFile implements BackingFile {
  readonly #libc: Libc;
  readonly #reader: NonblockingReader;
  readonly #fd: number;
  readonly #path: string;
  readonly #ties: RootTies;

  /**
   * @param fd Descriptor of a regular file, owned from now on
   * @param path How errors call it
   * @param hostPath Where it was found on this host
   */
  constructor(
    libc: Libc,
    reader: NonblockingReader,
    fd: number,
    path: string,
    readonly hostPath: string,
    ties: RootTies,
  ) {
    this.#libc = libc;
    this.#reader = reader;
    this.#fd = fd;
    this.#path = path;
    this.#ties = ties;
  }

  attributes(): BackingAttributes {
    return statCached(this.#libc, this.#fd, this.#path);
  }

  async look(): Promise<BackingLook> {
    const attributes = await statSynced(this.#libc, this.#fd, this.#path);
    const found = await this.#ties.look();
    // A file that was renamed is no worse for that; one without any name is lost at its close.
    return { attributes, named: found === "it" || found === "nothing" && attributes.links > 0 };
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    return this.#reader.read(this.#fd, into, offset, this.#path);
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return Number(await this.#call("pread", this.#fd, into, BigInt(into.byteLength), offset));
  }

  async write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return Number(await this.#call("pwrite", this.#fd, bytes, BigInt(bytes.byteLength), offset));
  }

  async truncate(sizeBytes: bigint): Promise<void> {
    await this.#call("ftruncate", this.#fd, sizeBytes);
  }

  async change(change: AttributeChange): Promise<void> {
    const { uid = SAME_ID, gid = SAME_ID, permissions } = change;
    if (uid !== SAME_ID || gid !== SAME_ID) await this.#call("fchown", this.#fd, uid, gid);
    if (permissions !== undefined) await this.#call("fchmod", this.#fd, permissions);
    if (change.accessTimeNs === undefined && change.modificationTimeNs === undefined) return;
    const times = BigInt64Array.of(
      ...timespec(change.accessTimeNs),
      ...timespec(change.modificationTimeNs),
    );
    await this.#call("futimens", this.#fd, times);
  }

  async allocate(offset: bigint, length: bigint): Promise<void> {
    // Not posix_fallocate, though it returns its errno: where storage has no fallocate, it writes
    // zeros into the file, also over what others write meanwhile.
    try {
      await this.#call("fallocate", this.#fd, 0, offset, length);
    } catch (error) {
      const isUnknown = error instanceof SystemError && error.errno === "EIO";
      if (!isUnknown || await this.#roomBytes() >= length) throw error;
      throw new SystemError("ENOSPC", "fallocate", this.#path);
    }
  }

  link(path: string): Promise<void> {
    return this.#ties.link(path);
  }

  unlink(path: string): Promise<void> {
    return this.#ties.unlink(path);
  }

  reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    return this.#ties.reopen(accept);
  }

  async sync(): Promise<void> {
    // Linux tells a failed write-back once for each descriptor: a second fdatasync would succeed
    // over lost pages. So its failure is final, and its errno stays unknown.
    if (await this.#libc.symbols.fdatasync_thread(this.#fd) < 0) {
      throw new SystemError("EIO", "fdatasync", this.#path);
    }
  }

  close(): void {
    this.#libc.symbols.close(this.#fd);
  }

  #call<Call extends ThreadedCall>(
    call: Call,
    ...args: Parameters<LibcSymbols[Call]>
  ): Promise<ReturnType<LibcSymbols[Call]>> {
    return this.#libc.onThread(call, args, this.#path);
  }

  /** What its file system has left for us. */
  async #roomBytes(): Promise<bigint> {
    const room = new BigUint64Array(STATVFS_WORDS);
    await this.#call("fstatvfs", this.#fd, room);
    const [, fragmentBytes = 0n, , , available = 0n] = room;
    return fragmentBytes * available;
  }
}

/** The seconds and nanoseconds of a time, with the fraction never negative, as the host wants. */
function timespec(timeNs: bigint | undefined): [bigint, bigint] {
  if (timeNs === undefined) return [0n, UTIME_OMIT];
  const fraction = (timeNs % NS_PER_SECOND + NS_PER_SECOND) % NS_PER_SECOND;
  return [(timeNs - fraction) / NS_PER_SECOND, fraction];
}
