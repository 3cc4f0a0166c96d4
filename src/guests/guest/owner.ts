import { isSameText } from "../../core/constant_time.ts";
import { Fault } from "../../core/faults.ts";

/**
 * Who owns a guest: whoever has its token, in the place of the task that opened lguest's device
 * (docs/guests.md#owner).
 */
export class Owner {
  readonly #guest: string;
  readonly #listeners = new Set<() => void>();
  #token: string | undefined;

  /** @param token `undefined` when nothing is left to own, as after a restart of the daemon */
  constructor(guest: string, token: string | undefined) {
    this.#guest = guest;
    this.#token = token;
  }

  /** Whether this is the owner's token. */
  matches(token: string | undefined): boolean {
    return token !== undefined && this.#token !== undefined && isSameText(token, this.#token);
  }

  /** @throws {Fault} `not-owner`; never when nothing is left to own */
  require(token: string | undefined): void {
    if (this.#token === undefined || this.matches(token)) return;
    throw new Fault(
      "not-owner",
      `Cannot do this to guest "${this.#guest}": send the token of its creation as ` +
        "Innkeeper-Owner",
    );
  }

  /** The owner's token, if somebody owns the guest. */
  get token(): string | undefined {
    return this.#token;
  }

  /** From now on the owner is whoever has this token. */
  change(token: string): void {
    this.#token = token;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` when somebody else becomes the owner, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
