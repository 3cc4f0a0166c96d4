/**
 * Every way in which the command line ends: its exit status, and what it means to a script. The
 * table in docs/cli.md#exit-statuses is held against this one by a test.
 */
export const EXIT_TABLE = {
  done: [0, "done", "Of `wait`: everybody who is waited for has confirmed."],
  mistake: [1, "a mistake in Innkeeper itself", "Please report it."],
  usage: [2, "wrong usage", "Or a value that is not allowed. Nothing was changed."],
  folder: [3, "state or run folder in use", "Or of a newer version. Of `serve` only."],
  listen: [4, "cannot listen", "An address is taken or not allowed. Of `serve` only."],
  unreachable: [5, "unreachable", "No daemon answers at the socket or address that was tried."],
  notPermitted: [6, "not permitted", "The token is missing or unknown, or may not do this."],
  notFound: [7, "not found", "What was named does not exist."],
  late: [8, "late", "Somebody has not confirmed, or was lost or left behind before."],
  failed: [9, "failed", "It was tried: a watcher could not adapt, a guest died, storage failed."],
  unwatched: [10, "nobody watches", "Of `wait`: nobody watches the scope, so nobody can confirm."],
  refused: [11, "refused by state", "The state of things does not allow it; another may."],
  host: [12, "the host gives too little", "Such as file descriptors. Of `serve` only."],
  damaged: [13, "the state is damaged", "See `--accept-loss`. Of `serve` only."],
  interrupted: [130, "interrupted", "SIGINT or SIGTERM came before the command was done."],
} as const satisfies Readonly<Record<string, readonly [number, string, string]>>;

/** The name of a way to end. With `--json` a failure says it. */
export type ExitName = keyof typeof EXIT_TABLE;

/** Exit statuses by name. */
export const EXIT = Object.fromEntries(
  Object.entries(EXIT_TABLE).map(([name, [status]]) => [name, status]),
) as { readonly [Name in ExitName]: typeof EXIT_TABLE[Name][0] };

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
