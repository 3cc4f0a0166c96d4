/** Exit statuses of the command line. */
export const EXIT = {
  clean: 0,
  /** The daemon refused a request, or cannot be reached. */
  refused: 1,
  usage: 2,
  /** The state or run folder is in use, or was written by a newer version. */
  folder: 3,
  /** The daemon cannot listen on an address. */
  listen: 4,
} as const;

/** Ends the command with a message for the operator and an exit status. */
export class ExitError extends Error {
  override readonly name: string = "ExitError";

  constructor(readonly status: number, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** The command line or the environment cannot be understood. */
export class UsageError extends ExitError {
  override readonly name = "UsageError";

  constructor(message: string, options?: ErrorOptions) {
    super(EXIT.usage, message, options);
  }
}
