import { Fault } from "../../core/faults.ts";
import { SystemError } from "../../core/system_error.ts";

/**
 * Waits for a call of the snapshot store.
 *
 * @throws {Fault} `snapshots-exhausted` when the disk is full, `state-unavailable`
 */
export async function stored<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const isFull = error.errno === "ENOSPC" || error.errno === "EDQUOT";
    throw new Fault(
      isFull ? "snapshots-exhausted" : "state-unavailable",
      `Cannot use the snapshot store: ${error.message}`,
      { cause: error },
    );
  }
}
