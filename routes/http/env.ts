import type { Admitted } from "../../src/access/admission.ts";
import type { Listener } from "../../src/access/listener.ts";
import type { Once } from "../../src/generations/replays.ts";
import type { Principal } from "../../src/access/tokens.ts";

/** What every handler finds in its context. */
export interface Env {
  Bindings: {
    readonly listener: Listener;
    /** The connection that the request came on, where the daemon accepted it itself. */
    readonly connection?: Admitted;
  };
  Variables: {
    requestId: string;
    principal: Principal;
    once?: Once | undefined;
    /** Number of the last event before the request was looked at. */
    seq: number | undefined;
    /** The token of a guest's owner that a ticket has brought along. */
    ownerToken: string | undefined;
    /** Whether the request waits for something to happen. */
    isWaiting: boolean;
  };
}
