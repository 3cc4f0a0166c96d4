import { Fault, type FaultCode } from "../../core/faults.ts";
import { NONBLOCKING_READ_BYTES_MAX } from "../../core/limits.ts";
import type {
  AttributeChange,
  BackingAttributes,
  BackingFile,
  BackingLook,
} from "../../core/ports/backing_file.ts";
import { RemoteError, SystemError } from "../../core/system_error.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { asOpenFault } from "./open_fault.ts";
import { Unsynced } from "../ranges/unsynced.ts";

/** Faults by the errno of a call on a backing file. Any other errno is `backing-failed`. */
const FAULT_OF: Readonly<Record<string, FaultCode>> = {
  ENOSPC: "backing-full",
  EDQUOT: "backing-full",
  EFBIG: "value-not-allowed",
  EROFS: "root-read-only",
  EPERM: "file-not-permitted",
  EACCES: "file-not-permitted",
};

/** How far a read came. */
interface PartialRead {
  readonly done: number;
  /** Why it stopped; `undefined` at the end of the file. */
  readonly failure: Fault | undefined;
}

/**
 * A backing file that reads and writes whole. Short reads and writes go on where they stopped, a
 * write of no byte is an error instead of an endless loop, and host errors become faults
 * (docs/inodes.md#4).
 */
export class Backing {
  readonly unsynced = new Unsynced();

  /** @param name Names the file in faults */
  constructor(readonly file: BackingFile, readonly name: string) {}

  /** @throws {Fault} `backing-failed` */
  attributes(): BackingAttributes {
    try {
      return this.file.attributes();
    } catch (error) {
      throw this.#fault("ask", error);
    }
  }

  /** @throws {Fault} `backing-failed` */
  look(): Promise<BackingLook> {
    return this.file.look().catch(this.#as("look at"));
  }

  /**
   * Reads from memory alone.
   *
   * @returns How many bytes there were up to the end of the file; `undefined` when that would wait
   * for storage, or copy too many bytes on the event loop (docs/inodes.md#11)
   */
  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    if (into.byteLength > NONBLOCKING_READ_BYTES_MAX) return undefined;
    let done = 0;
    while (done < into.byteLength) {
      let read: number | undefined;
      try {
        // Making a view costs half as much as copying a page, so the first part goes without one.
        const rest = done === 0 ? into : into.subarray(done);
        read = this.file.readNonblocking(rest, offset + BigInt(done));
      } catch (error) {
        throw this.#fault("read", error);
      }
      if (read === undefined) return undefined;
      if (read === 0) break;
      done += read;
    }
    return done;
  }

  /**
   * Reads until `into` is full or the file ends.
   *
   * @throws {Fault} `backing-failed`
   */
  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    const { done, failure } = await this.readSome(into, offset);
    if (failure !== undefined) throw failure;
    return done;
  }

  /** Reads until `into` is full, the file ends or a read fails. */
  async readSome(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<PartialRead> {
    let done = 0;
    try {
      while (done < into.byteLength) {
        const rest = into.subarray(done);
        const at = offset + BigInt(done);
        const isShort = rest.byteLength <= NONBLOCKING_READ_BYTES_MAX;
        const now = isShort ? this.file.readNonblocking(rest, at) : undefined;
        const read = now ?? await this.file.read(rest, at);
        if (read === 0) break;
        done += read;
      }
      return { done, failure: undefined };
    } catch (error) {
      return { done, failure: this.#fault("read", error) };
    }
  }

  /**
   * Writes all bytes.
   *
   * @throws {Fault} `backing-failed`, `backing-full`, `value-not-allowed` past the largest file
   */
  async write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void> {
    for (let done = 0; done < bytes.byteLength;) {
      const written = await this.file.write(bytes.subarray(done), offset + BigInt(done))
        .catch(this.#as("write"));
      if (written <= 0) {
        throw new Fault(
          "backing-failed",
          `Cannot write ${this.name}: it took no byte at offset ${offset + BigInt(done)}`,
        );
      }
      done += written;
    }
    this.unsynced.note({ start: offset, end: offset + BigInt(bytes.byteLength) });
  }

  /** @throws {Fault} as {@linkcode write} */
  truncate(sizeBytes: bigint): Promise<void> {
    return this.file.truncate(sizeBytes).catch(this.#as("truncate"));
  }

  /** @throws {Fault} as {@linkcode write} */
  allocate(offset: bigint, length: bigint): Promise<void> {
    return this.file.allocate(offset, length).catch(this.#as("allocate storage for"));
  }

  /**
   * Sees to it that a content of this length finds room.
   *
   * @throws {Fault} `backing-full` when there is none: nothing is changed then
   */
  reserve(length: bigint): Promise<void> {
    return this.file.reserve(length).catch(this.#as("find room for"));
  }

  /** @throws {Fault} `file-not-permitted`, `root-read-only`, `backing-failed` */
  change(change: AttributeChange): Promise<void> {
    return this.file.change(change).catch(this.#as("change"));
  }

  /**
   * Sets times. Only the owner of a file may; another one's keeps those that the host gives it, since
   * touched times alone are no reason to fail (docs/inodes.md#3).
   *
   * @throws {Fault} `root-read-only`, `backing-failed`
   */
  async changeTimes(times: AttributeChange): Promise<void> {
    try {
      await this.change(times);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "file-not-permitted") throw error;
    }
  }

  /**
   * Opens whatever the path leads to now.
   *
   * @throws {Fault} of an open that fails, and what `accept` throws
   */
  reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    return this.file.reopen(accept).catch(asOpenFault(this.name));
  }

  /**
   * Gives the file another name below its root.
   *
   * @throws {Fault} as {@linkcode reopen}
   */
  link(path: string): Promise<void> {
    return this.file.link(path).catch(asOpenFault(path));
  }

  /**
   * Removes a name of the file below its root.
   *
   * @throws {Fault} as {@linkcode reopen}; `file-not-found` for a name that is not the file's
   */
  async unlink(path: string): Promise<void> {
    try {
      await this.file.unlink(path);
    } catch (error) {
      const isAnother = error instanceof SystemError && error.errno === "ESTALE";
      if (!isAnother) asOpenFault(path)(error);
      throw new Fault(
        "file-not-found",
        `Cannot unlink "${path.slice(0, 200)}": it is no name of ${this.name}`,
        { cause: error },
      );
    }
  }

  /**
   * Resolves when everything that was written is on stable storage.
   *
   * @throws {Fault} `backing-failed`, also when an earlier sync lost bytes that were not written
   * again; `backing-full`
   */
  async sync(): Promise<void> {
    await this.unsynced.during(() => this.file.sync().catch(this.#as("sync")));
    if (this.unsynced.lostBytes === 0n) return;
    // Nobody needs lost bytes behind the end of a file that was cut.
    this.unsynced.forget({ start: this.attributes().sizeBytes, end: WHOLE.end });
    const { lostBytes } = this.unsynced;
    if (lostBytes === 0n) return;
    const [first] = this.unsynced.lost();
    throw new Fault(
      "backing-failed",
      `Cannot sync ${this.name}: a sync before has failed, and the host may have forgotten ` +
        `${lostBytes} bytes from offset ${first?.start} on; write them again, or invalidate with discard`,
    );
  }

  /** The fault of a file that ends before its size although nobody changed it. */
  endedEarly(at: bigint, size: bigint): Fault {
    return new Fault(
      "backing-failed",
      `Cannot read ${this.name}: it ended at offset ${at} although its size is ${size}; try again`,
    );
  }

  #as(action: string): (error: unknown) => never {
    return (error) => {
      throw this.#fault(action, error);
    };
  }

  #fault(action: string, error: unknown): Fault {
    if (!(error instanceof SystemError)) throw error;
    if (error instanceof RemoteError) {
      const code = error.code ?? FAULT_OF[error.errno] ?? "backing-failed";
      return new Fault(code, `Cannot ${action} ${this.name}: ${error.why}`, { cause: error });
    }
    return new Fault(
      FAULT_OF[error.errno] ?? "backing-failed",
      `Cannot ${action} ${this.name}: ${error.call} gave ${error.errno}`,
      { cause: error },
    );
  }
}
