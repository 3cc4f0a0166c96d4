import type { LiveScope } from "../../generations/live_scope.ts";
import { readVmclock } from "../../generations/vmclock_page.ts";
import { POLLIN, POLLRDNORM } from "../../native/constants.ts";
import type { OpenFile, ReadCall } from "../node.ts";

/** An open vmclock file: readable from a change on until it is read (Linux' ptp_vmclock driver). */
export class OpenVmclock implements OpenFile {
  readonly #scope: LiveScope;
  readonly #stopListening: () => void;
  /** The sequence that was read last; the driver begins with 0 as well. */
  #seen = 0;

  constructor(scope: LiveScope, readonly backing: number | undefined, wake: () => void) {
    this.#scope = scope;
    this.#stopListening = scope.listen(({ kind }) => {
      if (kind === "generation") wake();
    });
  }

  read({ offset, size }: ReadCall): Uint8Array {
    const bytes = this.#scope.pages.vmclock.bytes();
    this.#seen = readVmclock(bytes)?.sequence ?? this.#seen;
    const start = Math.min(Number(offset), bytes.byteLength);
    return bytes.subarray(start, start + size);
  }

  poll(): number {
    const sequence = readVmclock(this.#scope.pages.vmclock.bytes())?.sequence;
    return sequence === this.#seen ? 0 : POLLIN | POLLRDNORM;
  }

  close(): void {
    this.#stopListening();
  }
}
