import type { PageWord } from "../core/ports/page_file.ts";

/** Bytes that are stored at one time. */
const WORD_BYTES = 8;

/**
 * The words to store into a page so that it begins with `head` and has zeros after it.
 *
 * @param found What the page shows
 */
export function wordsThatDiffer(
  found: Uint8Array<ArrayBuffer>,
  head: Uint8Array<ArrayBuffer>,
): PageWord[] {
  const wanted = new Uint8Array(found.byteLength);
  wanted.set(head);
  const shown = new BigUint64Array(found.buffer);
  return [...new BigUint64Array(wanted.buffer).entries()]
    .filter(([index, word]) => shown[index] !== word)
    .map(([index, word]) => [index * WORD_BYTES, word]);
}
