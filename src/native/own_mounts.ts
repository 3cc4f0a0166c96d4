import { SystemError } from "../core/system_error.ts";

/**
 * The file systems that this process serves itself. Whoever waits for one of them on the event loop
 * waits for itself for ever, so nothing of them is opened here (docs/mount.md#8):
 *
 * ```text
 * on a thread        the server refuses the call, and notes it here; it is not made again on the loop
 * on the event loop  only nodes that were opened without asking, after a look at their device
 * ```
 */
export class OwnMounts {
  readonly #devices = new Set<bigint>();
  #refusals = 0;

  /** How many calls of this process were refused. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Says that this process serves the file system of this device until the function is called. */
  add(device: bigint): () => void {
    this.#devices.add(device);
    return () => this.#devices.delete(device);
  }

  /** Notes that a call of this process was refused: the call learns of it before it returns. */
  noteRefusal(): void {
    this.#refusals++;
  }

  /**
   * Lets only nodes of other file systems through.
   *
   * @param attributes Of the node; not asked for while nothing is served
   * @throws {SystemError} EDEADLK
   */
  requireForeign(
    attributes: () => { readonly device: bigint },
    call: string,
    subject: string,
  ): void {
    if (this.#devices.size === 0 || !this.#devices.has(attributes().device)) return;
    throw new SystemError("EDEADLK", call, subject);
  }
}
