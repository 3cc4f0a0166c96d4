import type { ProcessIdentity } from "../core/ports/processes.ts";
import type { Watcher } from "./watcher.ts";

/** What a watcher says of itself over a connection. */
export interface WatchRequest {
  readonly name: string;
  /** One that comes back stays as it was when this is left out: untracking is only ever explicit. */
  readonly track?: boolean | undefined;
  readonly leaseMs?: number | undefined;
  /** The token of an earlier registration, to go on as the same watcher. */
  readonly token?: string | undefined;
  /** It has chosen its token itself and cannot be given another. */
  readonly keepsToken?: boolean | undefined;
  /** The epoch that it confirmed last, when it comes back. */
  readonly epoch?: bigint | undefined;
  /** The process that it is in, as it says itself. */
  readonly process?: ProcessIdentity | undefined;
}

/** A watcher that comes back: what it gets, and how it proves to be the same. */
export interface Credentials {
  readonly tokenHash: string;
  readonly previousTokenHash: string;
  readonly peer: ProcessIdentity | undefined;
  readonly owner: string | undefined;
}

/** A registration, durable if it is tracked. */
export interface Watching {
  readonly watcher: Watcher;
  readonly resumed: boolean;
  /** The token to come back with; it is good for one return. */
  readonly token: string;
}

/** What a watcher over HTTP says of itself. Without a name it is called by its id. */
export type HttpWatchRequest = Pick<WatchRequest, "leaseMs" | "token" | "epoch" | "process"> & {
  readonly name?: string | undefined;
  readonly track: boolean;
};

/** The watcher of a file that has stayed open while the daemon was restarted. */
export type OpenWatcher = Pick<Watcher, "id" | "name" | "ackedEpoch">;
