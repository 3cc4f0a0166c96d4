import { Fault } from "../core/faults.ts";

/** The form of the ids that we give to watchers with a connection, and to open files. */
const GIVEN = /^w-[0-9a-f]{16}$/;

/** Whether an id is of the form that we give. */
export function isGivenId(id: string): boolean {
  return GIVEN.test(id);
}

/**
 * Lets only ids through that a watcher can choose.
 *
 * @throws {Fault} `value-not-allowed`
 */
export function requireChosen(id: string): void {
  if (!isGivenId(id)) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot choose watcher id "${id}": this form belongs to WebSocket watchers`,
  );
}
