import { Fault } from "../../core/faults.ts";
import { FILE_OFFSET_MAX } from "../../core/limits.ts";
import type { AttributeChange } from "../../core/ports/backing_file.ts";
import { minOf } from "../../core/segments.ts";
import { type ByteSource, sourceOf } from "../backing/byte_source.ts";

/** Bytes and where they go. */
export interface WritePart {
  readonly offset: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** How a change is made. */
export interface ChangeOptions {
  /** Entity tags of which the inode must have one; `*` for any. */
  readonly ifMatch?: readonly string[] | undefined;
  /** Entity tags of which the inode must have none; `*` for any. */
  readonly ifNoneMatch?: readonly string[] | undefined;
  /** Whether it is on stable storage when it resolves. */
  readonly isDurable?: boolean;
}

/** Changes content while nobody else does. */
export interface Editor {
  /** Writes all bytes. */
  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void>;
  /** Sets the size: cuts, or fills up with zeros. */
  truncate(size: bigint): Promise<void>;
  /** Reserves storage, and grows the content to the end of it. */
  allocate(offset: bigint, length: bigint): Promise<void>;
  /** Sees to it that a content of this length finds room, and changes nothing. */
  reserve(length: bigint): Promise<void>;
  /** Sets attributes in the backing file. */
  change(change: AttributeChange): Promise<void>;
  /** Notes that the whole content is new, so no foreign change is below it any more. */
  endConflict(): Promise<void>;
}

/** @throws {Fault} `value-not-allowed` when a range ends past the largest file */
export function requireOffsets(offset: bigint, length: bigint): void {
  if (offset + length <= FILE_OFFSET_MAX) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot write at offset ${offset}: a file ends at ${FILE_OFFSET_MAX} at the latest`,
    { errno: "EFBIG" },
  );
}

/** The content that an editor changes. */
export interface EditedContent {
  size(): bigint;
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;
}

/**
 * Writes bytes one part after the other, as the source yields them. When one fails, the content is
 * as long as before; what stands in it from `offset` on is old or new.
 *
 * @throws {Fault} of the part that failed, saying how far it came
 */
export async function writeAll(
  content: Pick<EditedContent, "size">,
  editor: Editor,
  bytes: Uint8Array<ArrayBuffer> | ByteSource,
  offset: bigint,
): Promise<void> {
  const source = bytes instanceof Uint8Array ? sourceOf(bytes) : bytes;
  const size = content.size();
  let at = offset;
  try {
    for await (const part of source.parts()) {
      await editor.write(part, at);
      at += BigInt(part.byteLength);
    }
  } catch (error) {
    if (content.size() > size) await editor.truncate(size).catch(() => {});
    if (!(error instanceof Fault)) throw error;
    const { code, errno, members, message } = error;
    const done = `it took ${
      at - offset
    } of ${source.byteLength} bytes, and perhaps some of the next`;
    throw new Fault(code, `${message}; ${done}; the size is ${content.size()}`, {
      ...{ errno, cause: error },
      members: { ...members, writtenBytes: String(at - offset), size: String(content.size()) },
    });
  }
}

/**
 * Writes parts one after the other. When one fails, the bytes from before are written again.
 *
 * @throws {Fault} of the part that failed, saying so when the undo failed too
 */
export async function writeAllOrUndo(
  content: EditedContent,
  editor: Editor,
  parts: readonly WritePart[],
): Promise<void> {
  const size = content.size();
  const before: WritePart[] = [];
  for (const { offset, bytes } of parts) {
    const end = minOf(offset + BigInt(bytes.byteLength), size);
    if (offset >= end) continue;
    const old = new Uint8Array(Number(end - offset));
    await content.read(old, offset);
    before.push({ offset, bytes: old });
  }
  try {
    for (const { offset, bytes } of parts) await editor.write(bytes, offset);
  } catch (error) {
    try {
      for (const { offset, bytes } of before) await editor.write(bytes, offset);
      if (content.size() > size) await editor.truncate(size);
    } catch {
      if (!(error instanceof Fault)) throw error;
      const { code, message } = error;
      throw new Fault(code, `${message}; what was written of it could not be taken back`, {
        cause: error,
      });
    }
    throw error;
  }
}
