import type { Fault } from "../../core/faults.ts";
import { FILL_BYTES_MAX } from "../../core/limits.ts";
import type { NodeIdentity } from "../../core/ports/backing_file.ts";
import type { Range } from "../../core/segments.ts";

/** What is to be translated (gVisor's `Translate`). */
export interface TranslateRequest {
  /** What must be translated. */
  readonly required: Range;
  /** What may be translated with it; holds the required range. */
  readonly optional: Range;
  readonly isWrite: boolean;
}

/** Where the bytes of a range of the inode are: whoever may open the file can map them there. */
interface Translation {
  readonly source: Range;
  /** Path of the file that has the bytes. */
  readonly file: string;
  /** Which file that is. Whoever opens the path compares it, because a path can be led elsewhere. */
  readonly identity: NodeIdentity;
  /** Where the first byte is in it. */
  readonly offset: bigint;
  readonly permissions: { readonly write: boolean };
}

/** Why an access from some offset on is a bus error (SIGBUS). */
export interface BusError {
  readonly offset: bigint;
  /** `undefined` past the end of the content. */
  readonly fault: Fault | undefined;
}

/** What was translated, ascending and without gaps, and why not all of it was. */
export interface Translated {
  readonly translations: readonly Translation[];
  readonly busError: BusError | undefined;
}

const FILL = BigInt(FILL_BYTES_MAX);

/** How much of the optional range is translated with the required one (gVisor's maxFillRange). */
export function maxFillRange(required: Range, optional: Range): Range {
  if (required.end - required.start >= FILL) return required;
  if (optional.end - optional.start <= FILL) return optional;
  const { start } = required;
  return optional.end - start <= FILL ? { start, end: optional.end } : { start, end: start + FILL };
}
