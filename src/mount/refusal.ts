import { ERRNO, type Errno } from "../core/errno.ts";
import { Fault } from "../core/faults.ts";
import { SystemError } from "../core/system_error.ts";

/** A call that is refused by its errno alone: the caller sees nothing else of it. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(readonly errno: Errno) {
    super(errno);
  }
}

/** The number of the errno that an error is answered with; `undefined` for a mistake of ours. */
export function errnoOf(error: unknown): number | undefined {
  if (error instanceof Refusal || error instanceof Fault) return ERRNO[error.errno];
  if (error instanceof SystemError) return ERRNO[error.errno as Errno] ?? ERRNO.EIO;
  return undefined;
}
