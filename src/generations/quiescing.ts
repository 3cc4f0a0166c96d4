import { Fault } from "../core/faults.ts";

/** A request that watchers stop using what a bump would change under their hands. */
export interface Quiesce {
  readonly reason: string;
  /** When it ends by itself, milliseconds after it began. */
  readonly maxMs: number;
}

/** A quiesce that has begun and not ended. */
export interface BegunQuiesce extends Quiesce {
  /** Tells it from every other quiesce: an answer to an earlier one must not count for it. */
  readonly id: string;
  /** The epoch that was current when it began. */
  readonly epoch: bigint;
  /** When it began, nanoseconds since 1970. */
  readonly atNs: bigint;
}

/** The quiesce that is on, who has followed it, and who said that it cannot. */
export class Quiescing {
  readonly #followed = new Set<string>();
  /** Why, by the watcher's id. */
  readonly #unable = new Map<string, string>();
  #current: BegunQuiesce | undefined;

  get current(): BegunQuiesce | undefined {
    return this.#current;
  }

  /** Begins a quiesce; `undefined` ends the one that is on. Nobody has followed it yet. */
  begin(quiesce: BegunQuiesce | undefined): void {
    this.#current = quiesce;
    this.#followed.clear();
    this.#unable.clear();
  }

  /**
   * A watcher has followed, or cannot.
   *
   * @param quiesce Which one it answers; the one that is on where it does not say
   * @param inability Why it cannot follow
   * @throws {Fault} `not-quiescing` when another one is on, or none
   */
  answer(
    { name, phase }: { readonly name: string; readonly phase: string },
    id: string,
    quiesce: string | undefined,
    inability: string | undefined,
  ): void {
    const on = this.#current;
    if (on === undefined || (quiesce ?? on.id) !== on.id) {
      throw new Fault(
        "not-quiescing",
        `Cannot quiesce watcher "${id}": scope "${name}" is ${phase}` +
          (on === undefined ? "" : `, and quiesce ${quiesce} is over: ${on.id} is on`),
        { members: { phase, ...on === undefined ? {} : { quiesce: on.id } } },
      );
    }
    this.forget(id);
    if (inability === undefined) this.#followed.add(id);
    else this.#unable.set(id, inability);
  }

  /** It may be another process by now than the one that answered. */
  forget(id: string): void {
    this.#followed.delete(id);
    this.#unable.delete(id);
  }

  hasFollowed(id: string): boolean {
    return this.#followed.has(id);
  }

  /** Why a watcher cannot quiesce, if it has said so. */
  inability(id: string): string | undefined {
    return this.#unable.get(id);
  }
}
