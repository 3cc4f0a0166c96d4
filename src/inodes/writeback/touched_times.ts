import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";

/** The times of a file, by their names in the API. */
export type TimeName = "accessTime" | "modificationTime" | "statusChangeTime";

/** Attributes that can be newer in the cache than in the backing file (docs/inodes.md#3). */
export type DirtyName = "size" | TimeName;

/**
 * Times that are newer in the cache than in the backing file. The time of a write is dropped at the
 * write-back, because the host gives the file a time of its own then. A time that was set on
 * purpose, by a touch, is brought to the file.
 */
export class TouchedTimes {
  #accessNs: bigint | undefined;
  #modificationNs: bigint | undefined;
  #statusChangeNs: bigint | undefined;
  #isModificationOnPurpose = false;

  /** Names of the times that are newer than in the backing file. */
  get names(): TimeName[] {
    return [
      ...this.#accessNs === undefined ? [] : ["accessTime" as const],
      ...this.#modificationNs === undefined ? [] : ["modificationTime" as const],
      ...this.#statusChangeNs === undefined ? [] : ["statusChangeTime" as const],
    ];
  }

  /** Touches times on purpose. */
  touch(names: readonly TimeName[], nowNs: bigint): void {
    if (names.includes("accessTime")) this.#accessNs = nowNs;
    if (names.includes("modificationTime")) {
      this.#modificationNs = nowNs;
      this.#isModificationOnPurpose = true;
    }
    if (names.includes("statusChangeTime")) this.#statusChangeNs = nowNs;
  }

  /** Notes a read of the content. */
  noteRead(nowNs: bigint): void {
    this.#accessNs = nowNs;
  }

  /** Notes a write to the cached content. */
  noteWrite(nowNs: bigint): void {
    this.#modificationNs = nowNs;
    this.#statusChangeNs = nowNs;
    this.#isModificationOnPurpose = false;
  }

  /** Notes that the backing file was given attributes, which makes older touches void. */
  override({ accessTimeNs, modificationTimeNs }: AttributeChange): void {
    if (accessTimeNs !== undefined) this.#accessNs = undefined;
    if (modificationTimeNs !== undefined) {
      this.#modificationNs = undefined;
      this.#isModificationOnPurpose = false;
    }
    this.#statusChangeNs = undefined;
  }

  /** Sets the modification time that the next write-back gives the file. */
  restoreModification(timeNs: bigint): void {
    this.#modificationNs = timeNs;
    this.#isModificationOnPurpose = true;
  }

  /** Notes a write to the backing file, at which the host gave it newer times. */
  noteHostWrite(): void {
    this.#modificationNs = undefined;
    this.#statusChangeNs = undefined;
    this.#isModificationOnPurpose = false;
  }

  /** What the backing file has yet to be given. */
  get pending(): AttributeChange | undefined {
    const change: AttributeChange = {
      ...this.#accessNs === undefined ? {} : { accessTimeNs: this.#accessNs },
      ...this.#isModificationOnPurpose && this.#modificationNs !== undefined
        ? { modificationTimeNs: this.#modificationNs }
        : {},
    };
    return Object.keys(change).length === 0 ? undefined : change;
  }

  /** Forgets times that the backing file was given, unless they were touched again. */
  settle({ accessTimeNs, modificationTimeNs }: AttributeChange): void {
    if (this.#accessNs === accessTimeNs) this.#accessNs = undefined;
    if (modificationTimeNs !== undefined && this.#modificationNs === modificationTimeNs) {
      this.#modificationNs = undefined;
      this.#isModificationOnPurpose = false;
    }
    if (this.#modificationNs === undefined) this.#statusChangeNs = undefined;
  }

  /** Forgets times of writes, since none waits for its write-back any more. */
  settleWrites(): void {
    if (this.#isModificationOnPurpose) return;
    this.#modificationNs = undefined;
    this.#statusChangeNs = undefined;
  }

  /** These attributes, with the newer times in place of their own. */
  over(attributes: BackingAttributes): BackingAttributes {
    return {
      ...attributes,
      accessTimeNs: this.#accessNs ?? attributes.accessTimeNs,
      modificationTimeNs: this.#modificationNs ?? attributes.modificationTimeNs,
      statusChangeTimeNs: this.#statusChangeNs ?? attributes.statusChangeTimeNs,
    };
  }
}
