import { ERRNO } from "../core/errno.ts";
import { SLOW_FAILURE_MS, SLOW_FAILURES_MAX } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";
import { OwnMounts } from "./own_mounts.ts";
import { type LibcSymbols, type RepeatableCall, SYMBOLS } from "./symbols.ts";
import type { ThreadShare } from "./thread_share.ts";

/** Where distributions have the C library. Deno's permission wants the absolute path. */
const LIBC_PATHS = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/usr/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/usr/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
];

const ERRNO_NAMES = new Map(
  Object.entries(ERRNO).map(([name, number]) => [number as number, name]),
);

/**
 * The C library: the only way to the host's calls, and the gate that turns a failed call into a
 * {@linkcode SystemError}. Whoever composes the daemon opens it once.
 */
export class Libc implements Disposable {
  readonly symbols: LibcSymbols;
  /** What this process must not wait for. */
  readonly ownMounts = new OwnMounts();
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
   * The errno gate: returns a result of 0 or more and throws for -1. Call it right after the call,
   * before anything else can set errno.
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
   * Makes a call on another thread, so that the event loop never waits for storage
   * (docs/inodes.md#11). The errno of a failure stays on that thread. So a call that failed is made
   * once more on this thread, to succeed or to give its errno; but only when it failed fast, since
   * a slow one would hold the event loop up, and not when it may have led into a file system that
   * this process serves itself.
   *
   * @param subject What it is made on
   * @param threads The share of threads that it waits on; any free one without it
   * @throws {SystemError} EAGAIN when too many wait already; EIO when it failed slowly each time, so that its errno stays unknown;
   * EDEADLK below an own mount
   */
  async onThread<Call extends RepeatableCall>(
    call: Call,
    args: Parameters<LibcSymbols[Call]>,
    subject: string,
    threads?: ThreadShare,
  ): Promise<ReturnType<LibcSymbols[Call]>> {
    type Result = ReturnType<LibcSymbols[Call]>;
    const here = this.symbols[call] as (...args: unknown[]) => Result;
    const there = this.symbols[`${call}_thread`] as (...args: unknown[]) => Promise<Result>;
    const name = call.replace("syscall_", "");
    let isRefused = false;
    for (let tries = 0; tries < SLOW_FAILURES_MAX; tries++) {
      let startMs = 0;
      let refusals = 0;
      const waiting = (): Promise<Result> => {
        startMs = performance.now();
        ({ refusals } = this.ownMounts);
        return there(...args);
      };
      const result = await (threads === undefined ? waiting() : threads.run(waiting, subject));
      if (result >= 0) return result;
      // Perhaps another call of the same moment was refused, so a thread tries again.
      isRefused = this.ownMounts.refusals !== refusals;
      if (!isRefused && performance.now() - startMs <= SLOW_FAILURE_MS) {
        return this.check(here(...args), name, subject);
      }
    }
    throw new SystemError(isRefused ? "EDEADLK" : "EIO", name, subject);
  }

  /** Name of the last error on this thread. */
  errno(): string {
    const address = this.symbols.__errno_location();
    this.symbols.memcpy_to_js(this.#errno, address, 4n);
    const number = this.#errno[0] ?? 0;
    return ERRNO_NAMES.get(number) ?? `E${number}`;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

/**
 * A string as C wants it: UTF-8, ended by a zero byte.
 *
 * @throws {SystemError} EINVAL when it holds a zero byte, which would cut it short unseen
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new SystemError("EINVAL", "encode", JSON.stringify(text));
  return new TextEncoder().encode(`${text}\0`);
}
