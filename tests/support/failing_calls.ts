import { delay } from "@std/async";
import type { Libc, ThreadedCall } from "../../src/native/libc.ts";

/** How often a call of a C library that fails was made. */
export class FailingCalls {
  onThreads = 0;
  /** Made by its twin on the event loop. */
  onLoop = 0;

  /**
   * Lets a call on threads fail from now on, as on a dying disk.
   *
   * @param slowMs How long it takes to fail, by its turn; after the last it fails at once
   */
  constructor(libc: Libc, call: ThreadedCall | "fdatasync", slowMs: readonly number[]) {
    const twin = libc.symbols[call] as (...args: unknown[]) => unknown;
    const symbols = {
      ...libc.symbols,
      [`${call}_thread`]: async () => {
        await delay(slowMs[this.onThreads++] ?? 0);
        return -1;
      },
      [call]: (...args: unknown[]) => {
        this.onLoop++;
        return twin(...args);
      },
    };
    Object.assign(libc, { symbols });
  }
}
