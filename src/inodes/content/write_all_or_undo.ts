import { Fault } from "../../core/faults.ts";
import { minOf } from "../../core/segments.ts";
import type { Content, Editor, WritePart } from "./content.ts";

/**
 * Writes parts one after the other; when one fails, all that was there before is written again.
 *
 * @throws {Fault} of the part that failed, saying so when the undo failed too
 */
export async function writeAllOrUndo(
  content: Content,
  editor: Editor,
  parts: readonly WritePart[],
): Promise<void> {
  const { size } = content;
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
      if (content.size > size) await editor.truncate(size);
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
