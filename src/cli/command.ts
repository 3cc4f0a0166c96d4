import type { HttpClient } from "../client/http_client.ts";

/** Opens a WebSocket by its subprotocol and path. */
export type OpenSocket = (protocol: string, path?: string) => WebSocket;

/** What a command that talks to a daemon works with. */
export interface CommandContext {
  readonly client: HttpClient;
  /** Opens a WebSocket of its daemon; the watch socket when no path is given. */
  readonly openSocket: OpenSocket;
  /** Writes a line for the user or the next program in a pipe. */
  out(line: string): void;
  /** Writes a line for the user alone. */
  err(line: string): void;
}

/**
 * A command that talks to a daemon.
 *
 * @param args The words after its name, without those that say how to reach the daemon
 * @returns The exit status
 * @throws UsageError for words it does not know; ProblemError when the daemon refuses
 */
export type Command = (args: readonly string[], context: CommandContext) => Promise<number>;
