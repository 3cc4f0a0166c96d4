import type { Range } from "../../core/segments.ts";

/** The bytes of a range in a buffer whose first byte is at `offset`. */
export function sliceOf(
  bytes: Uint8Array<ArrayBuffer>,
  offset: bigint,
  { start, end }: Range,
): Uint8Array<ArrayBuffer> {
  return bytes.subarray(Number(start - offset), Number(end - offset));
}
