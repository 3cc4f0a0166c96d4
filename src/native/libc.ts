/**
 * The one door to the host's C library: every symbol that Innkeeper calls, and the gate that turns
 * a failed call into a {@linkcode SystemError}.
 *
 * Addresses are `usize`, never `pointer`: with `--allow-ffi=<path of libc>` Deno refuses pointer
 * views, while numbers and `memcpy` work.
 *
 * @module
 */
import { SLOW_FAILURE_MS, SLOW_FAILURES_MAX } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "usize" },
  memcpy_to_js: {
    name: "memcpy",
    parameters: [/* dest */ "buffer", /* src */ "usize", /* n */ "usize"],
    result: "usize",
  },
  memcpy_from_js: {
    name: "memcpy",
    parameters: [/* dest */ "usize", /* src */ "buffer", /* n */ "usize"],
    result: "usize",
  },
  memset: { parameters: [/* s */ "usize", /* c */ "i32", /* n */ "usize"], result: "usize" },

  open: {
    parameters: [/* path */ "buffer", /* flags */ "i32", /* mode */ "u32"],
    result: "i32",
  },
  syscall_openat2: {
    name: "syscall",
    parameters: [
      /* number */ "isize",
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* how */ "buffer",
      /* size of how */ "usize",
    ],
    result: "isize",
  },
  syscall_openat2_thread: {
    name: "syscall",
    parameters: [
      /* number */ "isize",
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* how */ "buffer",
      /* size of how */ "usize",
    ],
    result: "isize",
    nonblocking: true,
  },
  close: { parameters: [/* fd */ "i32"], result: "i32" },
  read: { parameters: [/* fd */ "i32", /* buf */ "buffer", /* count */ "usize"], result: "isize" },
  pread: {
    parameters: [/* fd */ "i32", /* buf */ "buffer", /* count */ "usize", /* offset */ "i64"],
    result: "isize",
  },
  pread_thread: {
    name: "pread",
    parameters: [/* fd */ "i32", /* buf */ "buffer", /* count */ "usize", /* offset */ "i64"],
    result: "isize",
    nonblocking: true,
  },
  write: { parameters: [/* fd */ "i32", /* buf */ "buffer", /* count */ "usize"], result: "isize" },
  poll: {
    parameters: [/* fds */ "buffer", /* nfds */ "usize", /* timeout */ "i32"],
    result: "i32",
  },
  poll_thread: {
    name: "poll",
    parameters: [/* fds */ "buffer", /* nfds */ "usize", /* timeout */ "i32"],
    result: "i32",
    nonblocking: true,
  },
  preadv2: {
    parameters: [
      /* fd */ "i32",
      /* iov */ "buffer",
      /* iovcnt */ "i32",
      /* offset */ "i64",
      /* flags */ "i32",
    ],
    result: "isize",
  },
  pwrite: {
    parameters: [/* fd */ "i32", /* buf */ "buffer", /* count */ "usize", /* offset */ "i64"],
    result: "isize",
  },
  pwrite_thread: {
    name: "pwrite",
    parameters: [/* fd */ "i32", /* buf */ "buffer", /* count */ "usize", /* offset */ "i64"],
    result: "isize",
    nonblocking: true,
  },
  fdatasync: { parameters: [/* fd */ "i32"], result: "i32" },
  fdatasync_thread: {
    name: "fdatasync",
    parameters: [/* fd */ "i32"],
    result: "i32",
    nonblocking: true,
  },
  ftruncate: { parameters: [/* fd */ "i32", /* length */ "i64"], result: "i32" },
  ftruncate_thread: {
    name: "ftruncate",
    parameters: [/* fd */ "i32", /* length */ "i64"],
    result: "i32",
    nonblocking: true,
  },
  fallocate: {
    parameters: [/* fd */ "i32", /* mode */ "i32", /* offset */ "i64", /* len */ "i64"],
    result: "i32",
  },
  fallocate_thread: {
    name: "fallocate",
    parameters: [/* fd */ "i32", /* mode */ "i32", /* offset */ "i64", /* len */ "i64"],
    result: "i32",
    nonblocking: true,
  },
  fstatvfs: { parameters: [/* fd */ "i32", /* buf */ "buffer"], result: "i32" },
  fstatvfs_thread: {
    name: "fstatvfs",
    parameters: [/* fd */ "i32", /* buf */ "buffer"],
    result: "i32",
    nonblocking: true,
  },
  fchmod: { parameters: [/* fd */ "i32", /* mode */ "u32"], result: "i32" },
  fchmod_thread: {
    name: "fchmod",
    parameters: [/* fd */ "i32", /* mode */ "u32"],
    result: "i32",
    nonblocking: true,
  },
  fchown: { parameters: [/* fd */ "i32", /* owner */ "u32", /* group */ "u32"], result: "i32" },
  fchown_thread: {
    name: "fchown",
    parameters: [/* fd */ "i32", /* owner */ "u32", /* group */ "u32"],
    result: "i32",
    nonblocking: true,
  },
  futimens: { parameters: [/* fd */ "i32", /* times */ "buffer"], result: "i32" },
  futimens_thread: {
    name: "futimens",
    parameters: [/* fd */ "i32", /* times */ "buffer"],
    result: "i32",
    nonblocking: true,
  },
  linkat: {
    parameters: [
      /* olddirfd */ "i32",
      /* oldpath */ "buffer",
      /* newdirfd */ "i32",
      /* newpath */ "buffer",
      /* flags */ "i32",
    ],
    result: "i32",
  },
  linkat_thread: {
    name: "linkat",
    parameters: [
      /* olddirfd */ "i32",
      /* oldpath */ "buffer",
      /* newdirfd */ "i32",
      /* newpath */ "buffer",
      /* flags */ "i32",
    ],
    result: "i32",
    nonblocking: true,
  },
  unlinkat: {
    parameters: [/* dirfd */ "i32", /* pathname */ "buffer", /* flags */ "i32"],
    result: "i32",
  },
  unlinkat_thread: {
    name: "unlinkat",
    parameters: [/* dirfd */ "i32", /* pathname */ "buffer", /* flags */ "i32"],
    result: "i32",
    nonblocking: true,
  },
  dup3: { parameters: [/* oldfd */ "i32", /* newfd */ "i32", /* flags */ "i32"], result: "i32" },
  statx: {
    parameters: [
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* flags */ "i32",
      /* mask */ "u32",
      /* statxbuf */ "buffer",
    ],
    result: "i32",
  },
  statx_thread: {
    name: "statx",
    parameters: [
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* flags */ "i32",
      /* mask */ "u32",
      /* statxbuf */ "buffer",
    ],
    result: "i32",
    nonblocking: true,
  },
  readlink: {
    parameters: [/* path */ "buffer", /* buf */ "buffer", /* bufsiz */ "usize"],
    result: "isize",
  },
  readlinkat: {
    parameters: [
      /* dirfd */ "i32",
      /* pathname */ "buffer",
      /* buf */ "buffer",
      /* bufsiz */ "usize",
    ],
    result: "isize",
  },
  getdents64: {
    parameters: [/* fd */ "i32", /* dirp */ "buffer", /* count */ "usize"],
    result: "isize",
  },
  mmap: {
    parameters: [
      /* addr */ "usize",
      /* length */ "usize",
      /* prot */ "i32",
      /* flags */ "i32",
      /* fd */ "i32",
      /* offset */ "i64",
    ],
    result: "isize",
  },
  munmap: { parameters: [/* addr */ "usize", /* length */ "usize"], result: "i32" },
  flock: { parameters: [/* fd */ "i32", /* operation */ "i32"], result: "i32" },
  execv: { parameters: [/* path */ "buffer", /* argv */ "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library's symbols, ready to call. */
export type LibcSymbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** The calls that may wait for storage, and do no harm when made again. */
export type ThreadedCall =
  | "fallocate"
  | "fchmod"
  | "fchown"
  | "fstatvfs"
  | "ftruncate"
  | "futimens"
  | "linkat"
  | "pread"
  | "pwrite"
  | "statx"
  | "syscall_openat2"
  | "unlinkat";

/** Where distributions keep the C library. Deno's permission wants the absolute path. */
const LIBC_PATHS = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/usr/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/usr/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
];

/** Numbers of errno that Innkeeper tells apart; the same on x86-64 and arm64 Linux. */
const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  19: "ENODEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  25: "ENOTTY",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  29: "ESPIPE",
  30: "EROFS",
  31: "EMLINK",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  40: "ELOOP",
  61: "ENODATA",
  62: "ETIME",
  75: "EOVERFLOW",
  95: "EOPNOTSUPP",
  105: "ENOBUFS",
  116: "ESTALE",
  122: "EDQUOT",
};

/** The C library, opened once by whoever puts the daemon together. */
export class Libc implements Disposable {
  readonly symbols: LibcSymbols;
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #errno = new Int32Array(1);

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, readonly path: string) {
    this.#library = library;
    this.symbols = library.symbols;
  }

  /**
   * Opens the first C library of {@linkcode LIBC_PATHS} that exists and is permitted.
   *
   * @throws {SystemError} naming the paths tried
   */
  static open(): Libc {
    for (const path of LIBC_PATHS) {
      try {
        return new Libc(Deno.dlopen(path, SYMBOLS), path);
      } catch {
        continue;
      }
    }
    throw new SystemError("ENOENT", "dlopen", LIBC_PATHS.join(", "));
  }

  /**
   * The errno gate: passes a result of 0 or more through and throws for -1. Call it at once
   * after the call, before anything else can set errno.
   *
   * @param result What the call returned
   * @param call Name of the call
   * @param subject What it was called on
   */
  check<Result extends number | bigint>(result: Result, call: string, subject: string): Result {
    if (result < 0) throw new SystemError(this.errno(), call, subject);
    return result;
  }

  /**
   * Makes a call on another thread. The errno of a failure stays there, so a call that failed is
   * made once more on this thread, to succeed or to tell why not; but only when it failed fast,
   * as the event loop never waits for storage (spec/inodes.md, decision 11). It must be one that
   * does no harm when made again, which fdatasync does.
   *
   * @param subject What it is made on
   * @throws {SystemError} EIO when it failed slowly, for a reason that stays unknown
   */
  async onThread<Call extends ThreadedCall>(
    call: Call,
    args: Parameters<LibcSymbols[Call]>,
    subject: string,
  ): Promise<ReturnType<LibcSymbols[Call]>> {
    type Result = ReturnType<LibcSymbols[Call]>;
    const here = this.symbols[call] as (...args: unknown[]) => Result;
    const there = this.symbols[`${call}_thread`] as (...args: unknown[]) => Promise<Result>;
    const name = call.replace("syscall_", "");
    for (let tries = 0; tries < SLOW_FAILURES_MAX; tries++) {
      const startMs = performance.now();
      const result = await there(...args);
      if (result >= 0) return result;
      if (performance.now() - startMs <= SLOW_FAILURE_MS) {
        return this.check(here(...args), name, subject);
      }
    }
    throw new SystemError("EIO", name, subject);
  }

  /** The name of the last error of this thread. */
  errno(): string {
    const address = this.symbols.__errno_location();
    this.symbols.memcpy_to_js(this.#errno, address, 4n);
    const number = this.#errno[0] ?? 0;
    return ERRNO_NAMES[number] ?? `E${number}`;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

const encoder = new TextEncoder();

/**
 * A string as C wants it: UTF-8, ended by a zero byte.
 *
 * @throws {SystemError} EINVAL when it holds a zero byte, which would cut it short unseen
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new SystemError("EINVAL", "encode", JSON.stringify(text));
  return encoder.encode(`${text}\0`);
}
