import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";

const TIME_NAMES = ["accessTime", "modificationTime", "statusChangeTime"] as const;

/** The times of a file, by their names in the API. */
export type TimeName = typeof TIME_NAMES[number];

/** Attributes that can be newer in the cache than in the backing file (docs/inodes.md#3). */
export type DirtyName = "size" | TimeName;

/**
 * Times that are newer in the cache than in the backing file. The time of a write is dropped at the
 * write-back, because the host gives the file a time of its own then. A time that was set on
 * purpose, by a touch, is brought to the file.
 */
export class TouchedTimes {
  readonly #newer = new Map<TimeName, bigint>();
  #isModificationOnPurpose = false;

  /** Names of the times that are newer than in the backing file. */
  get names(): TimeName[] {
    return TIME_NAMES.filter((name) => this.#newer.has(name));
  }

  /** Touches times on purpose. */
  touch(names: readonly TimeName[], nowNs: bigint): void {
    for (const name of names) this.#newer.set(name, nowNs);
    if (names.includes("modificationTime")) this.#isModificationOnPurpose = true;
  }

  /** Notes a read of the content. */
  noteRead(nowNs: bigint): void {
    this.#newer.set("accessTime", nowNs);
  }

  /** Notes a write to the cached content. */
  noteWrite(nowNs: bigint): void {
    this.#newer.set("modificationTime", nowNs).set("statusChangeTime", nowNs);
    this.#isModificationOnPurpose = false;
  }

  /** Notes a write to the backing file, at which the host gave it newer times. */
  noteHostWrite(): void {
    this.#forgetModification();
    this.#newer.delete("statusChangeTime");
  }

  /** Notes that the backing file was given attributes, which makes older touches void. */
  override({ accessTimeNs, modificationTimeNs }: AttributeChange): void {
    if (accessTimeNs !== undefined) this.#newer.delete("accessTime");
    if (modificationTimeNs !== undefined) this.#forgetModification();
    this.#newer.delete("statusChangeTime");
  }

  /** Sets the modification time that the next write-back gives the file. */
  restoreModification(timeNs: bigint): void {
    this.touch(["modificationTime"], timeNs);
  }

  /** What the backing file has yet to be given. */
  get pending(): AttributeChange | undefined {
    const accessTimeNs = this.#newer.get("accessTime");
    const modificationTimeNs = this.#isModificationOnPurpose
      ? this.#newer.get("modificationTime")
      : undefined;
    if (accessTimeNs === undefined && modificationTimeNs === undefined) return undefined;
    return { accessTimeNs, modificationTimeNs };
  }

  /** Forgets times that the backing file was given, unless they were touched again. */
  settle({ accessTimeNs, modificationTimeNs }: AttributeChange): void {
    if (this.#newer.get("accessTime") === accessTimeNs) this.#newer.delete("accessTime");
    if (this.#newer.get("modificationTime") === modificationTimeNs) this.#forgetModification();
    if (!this.#newer.has("modificationTime")) this.#newer.delete("statusChangeTime");
  }

  /** Forgets times of writes, since none waits for its write-back any more. */
  settleWrites(): void {
    if (!this.#isModificationOnPurpose) this.noteHostWrite();
  }

  /** These attributes, with the newer times in place of their own. */
  over(attributes: BackingAttributes): BackingAttributes {
    return {
      ...attributes,
      accessTimeNs: this.#newer.get("accessTime") ?? attributes.accessTimeNs,
      modificationTimeNs: this.#newer.get("modificationTime") ?? attributes.modificationTimeNs,
      statusChangeTimeNs: this.#newer.get("statusChangeTime") ?? attributes.statusChangeTimeNs,
    };
  }

  #forgetModification(): void {
    this.#newer.delete("modificationTime");
    this.#isModificationOnPurpose = false;
  }
}
