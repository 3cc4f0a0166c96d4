import { O_CLOEXEC } from "./constants.ts";
import { cString, type Libc } from "./libc.ts";
import type { LibcSymbols, RepeatableCall } from "./symbols.ts";
import type { ThreadShare } from "./thread_share.ts";

/** An open file descriptor. Disposing of it closes it. */
export class Descriptor implements Disposable {
  /**
   * @param subject How errors call what is open
   * @param threads The share of threads on which its storage is waited for
   */
  constructor(
    readonly libc: Libc,
    readonly number: number,
    readonly subject: string,
    readonly threads?: ThreadShare,
  ) {}

  /** A call with it, as {@linkcode Libc.onThread}. */
  onThread<Call extends RepeatableCall>(
    call: Call,
    args: Parameters<LibcSymbols[Call]>,
  ): Promise<ReturnType<LibcSymbols[Call]>> {
    return this.libc.onThread(call, args, this.subject, this.threads);
  }

  /** Makes a call with it that must not be repeated, on a thread. */
  once<Result>(call: (symbols: LibcSymbols) => Promise<Result>): Promise<Result> {
    const { libc: { symbols }, subject, threads } = this;
    return threads === undefined ? call(symbols) : threads.run(() => call(symbols), subject);
  }

  [Symbol.dispose](): void {
    this.libc.symbols.close(this.number);
  }

  /** Closes it on a thread, since the storage of a file may have to be asked (flush). */
  async close(): Promise<void> {
    await this.once((symbols) => symbols.close_thread(this.number));
  }
}

/**
 * Opens a path, wherever it leads. No program that Innkeeper starts inherits the descriptor.
 *
 * @param flags As for open(2)
 * @param mode Permission bits of a file that is made
 * @throws {SystemError}
 */
export function openPath(libc: Libc, path: string, flags: number, mode = 0): Descriptor {
  const fd = libc.symbols.open(cString(path), flags | O_CLOEXEC, mode);
  return new Descriptor(libc, libc.check(fd, "open", path), path);
}
