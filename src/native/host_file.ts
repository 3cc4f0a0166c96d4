import { READ_NOW_BYTES_MAX } from "../core/limits.ts";
import type {
  AttributeChange,
  BackingAttributes,
  BackingFile,
  BackingLook,
} from "../core/ports/backing_file.ts";
import { SystemError } from "../core/system_error.ts";
import type { Libc } from "./libc.ts";
import { statNow, statStorage } from "./statx.ts";

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const RWF_NOWAIT = 8;
const STAGING_BYTES = READ_NOW_BYTES_MAX;
/** The answers of preadv2 that mean "not without waiting": the last two, "not on this storage". */
const WOULD_WAIT: ReadonlySet<string> = new Set(["EAGAIN", "EOPNOTSUPP", "EINVAL"]);

/**
 * Reads that do not wait for storage. preadv2 wants the address of the memory that it fills, which
 * Deno does not tell under a scoped FFI grant; so the bytes pass through memory of our own.
 */
export class NowReader implements Disposable {
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

  /** As {@linkcode BackingFile.readNow}. */
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
export interface RootTies {
  /** What the path that the file was opened by leads to now. */
  look(): Promise<PathLeadsTo>;
  readonly reopen: BackingFile["reopen"];
  readonly link: BackingFile["link"];
  readonly unlink: BackingFile["unlink"];
}

/** What `futimens` takes for a time that stays. */
const UTIME_OMIT = 0x3ffffffen;
const NS_PER_SECOND = 1_000_000_000n;
/** What `fchown` takes for an id that stays. */
const SAME_ID = 0xffff_ffff;

/**
 * A regular file of this host. It is never mapped: somebody may truncate it, and touching a page
 * that is gone would end the process (SIGBUS).
 */
export class HostFile implements BackingFile {
  readonly #libc: Libc;
  readonly #reader: NowReader;
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
    reader: NowReader,
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
    return statNow(this.#libc, this.#fd, this.#path);
  }

  async look(): Promise<BackingLook> {
    const attributes = await statStorage(this.#libc, this.#fd, this.#path);
    const found = await this.#ties.look();
    // A file that was renamed is no worse for that; one without any name is lost at its close.
    return { attributes, named: found === "it" || found === "nothing" && attributes.links > 0 };
  }

  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    return this.#reader.read(this.#fd, into, offset, this.#path);
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    const { pread, pread_thread } = this.#libc.symbols;
    const count = BigInt(into.byteLength);
    const read = await pread_thread(this.#fd, into, count, offset);
    const again = () => pread(this.#fd, into, count, offset);
    return Number(this.#libc.checkThread(read, again, "pread", this.#path));
  }

  async write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    const { pwrite, pwrite_thread } = this.#libc.symbols;
    const count = BigInt(bytes.byteLength);
    const written = await pwrite_thread(this.#fd, bytes, count, offset);
    const again = () => pwrite(this.#fd, bytes, count, offset);
    return Number(this.#libc.checkThread(written, again, "pwrite", this.#path));
  }

  async truncate(sizeBytes: bigint): Promise<void> {
    const { ftruncate, ftruncate_thread } = this.#libc.symbols;
    const done = await ftruncate_thread(this.#fd, sizeBytes);
    this.#libc.checkThread(done, () => ftruncate(this.#fd, sizeBytes), "ftruncate", this.#path);
  }

  async change(change: AttributeChange): Promise<void> {
    const { fchmod, fchmod_thread, fchown, fchown_thread, futimens, futimens_thread } =
      this.#libc.symbols;
    const { uid = SAME_ID, gid = SAME_ID, permissions } = change;
    if (uid !== SAME_ID || gid !== SAME_ID) {
      const done = await fchown_thread(this.#fd, uid, gid);
      this.#libc.checkThread(done, () => fchown(this.#fd, uid, gid), "fchown", this.#path);
    }
    if (permissions !== undefined) {
      const done = await fchmod_thread(this.#fd, permissions);
      this.#libc.checkThread(done, () => fchmod(this.#fd, permissions), "fchmod", this.#path);
    }
    if (change.accessTimeNs === undefined && change.modificationTimeNs === undefined) return;
    const times = BigInt64Array.of(
      ...timespec(change.accessTimeNs),
      ...timespec(change.modificationTimeNs),
    );
    const done = await futimens_thread(this.#fd, times);
    this.#libc.checkThread(done, () => futimens(this.#fd, times), "futimens", this.#path);
  }

  async allocate(offset: bigint, length: bigint): Promise<void> {
    const { fallocate, fallocate_thread } = this.#libc.symbols;
    const done = await fallocate_thread(this.#fd, 0, offset, length);
    const again = () => fallocate(this.#fd, 0, offset, length);
    this.#libc.checkThread(done, again, "fallocate", this.#path);
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
}

/** The seconds and nanoseconds of a time, with the fraction never negative, as the host wants. */
function timespec(timeNs: bigint | undefined): [bigint, bigint] {
  if (timeNs === undefined) return [0n, UTIME_OMIT];
  const fraction = (timeNs % NS_PER_SECOND + NS_PER_SECOND) % NS_PER_SECOND;
  return [(timeNs - fraction) / NS_PER_SECOND, fraction];
}
