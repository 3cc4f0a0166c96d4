/** Exit statuses of the command line. */
export const EXIT = {
  clean: 0,
  /** The daemon refused what a command asked, or cannot be reached. */
  refused: 1,
  usage: 2,
  /** The state or run folder is in use, or was written by a newer version. */
  folder: 3,
  /** An address cannot be listened on. */
  listen: 4,
} as const;

/** Ends the command with a message for the operator and a status. */
export class ExitError extends Error {
  override readonly name = "ExitError";

  constructor(readonly status: number, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
