import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";

/** The times of a file, by their names in the API. */
export type TimeName = "accessTime" | "modificationTime" | "statusChangeTime";

/** Attributes that can be newer in the cache than in the backing file (seed 001, `dirtyAttr`). */
export type DirtyName = "size" | TimeName;

/**
 * Times that are newer in the cache than in the backing file. A time of a write is no longer
 * needed when the write-back gave the file a time of its own; one that was set on purpose, by a
 * touch, is brought to the file.
 */
export class TouchedTimes {
  #accessNs: bigint | undefined;
  #modificationNs: bigint | undefined;
  #statusChangeNs: bigint | undefined;
  #isModificationOnPurpose = false;

  /** Names of the times that the backing file does not have. */
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

  /** Notes that the backing file was given attributes: older touches of them are void. */
  override({ accessTimeNs, modificationTimeNs }: AttributeChange): void {
    if (accessTimeNs !== undefined) this.#accessNs = undefined;
    if (modificationTimeNs !== undefined) {
      this.#modificationNs = undefined;
      this.#isModificationOnPurpose = false;
    }
    this.#statusChangeNs = undefined;
  }

  /** Sets the modification time that a later write-back is to restore. */
  keepModification(timeNs: bigint): void {
    this.#modificationNs = timeNs;
    this.#isModificationOnPurpose = true;
  }

  /** Notes that the host itself gave the file newer times, by a write. */
  noteHostWrite(): void {
    this.#modificationNs = undefined;
    this.#statusChangeNs = undefined;
    this.#isModificationOnPurpose = false;
  }

  /** What has to be brought to the backing file. */
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

  /** Forgets what no purpose keeps: no write of the cache waits any more. */
  settleWrites(): void {
    if (this.#isModificationOnPurpose) return;
    this.#modificationNs = undefined;
    this.#statusChangeNs = undefined;
  }

  /** The attributes with these times in the place of older ones. */
  over(attributes: BackingAttributes): BackingAttributes {
    return {
      ...attributes,
      accessTimeNs: this.#accessNs ?? attributes.accessTimeNs,
      modificationTimeNs: this.#modificationNs ?? attributes.modificationTimeNs,
      statusChangeTimeNs: this.#statusChangeNs ?? attributes.statusChangeTimeNs,
    };
  }
}
