import { delay } from "@std/async";
import type { Libc } from "../../src/native/libc.ts";
import type { RepeatableCall } from "../../src/native/symbols.ts";

/** How often a call of a C library that fails was made. */
export class FailingCalls {
  onThreads = 0;
  /** Made on the event loop. */
  onLoop = 0;

  /**
   * Lets a call on threads fail from now on, as on a dying disk.
   *
   * @param slowMs How long it takes to fail, by its turn; after the last it fails at once
   */
  constructor(libc: Libc, call: RepeatableCall | "fdatasync", slowMs: readonly number[]) {
    const onLoop = libc.symbols[call] as (...args: unknown[]) => unknown;
    const symbols = {
      ...libc.symbols,
      [`${call}_thread`]: async () => {
        await delay(slowMs[this.onThreads++] ?? 0);
        return -1;
      },
      [call]: (...args: unknown[]) => {
        this.onLoop++;
        return onLoop(...args);
      },
    };
    Object.assign(libc, { symbols });
  }
}
