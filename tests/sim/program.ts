import type { ProcessIdentity } from "../../src/core/ports/processes.ts";
import type { WatchSession } from "../../src/sessions/watch.ts";

/** What a program remembers; a snapshot of it holds all of this. */
export interface Memory {
  token: string | undefined;
  /** The epoch that it was told it has confirmed. */
  confirmed: bigint | undefined;
  /** The generation that it was told of last and has to confirm. */
  todo: { readonly generation: number; readonly epoch: bigint } | undefined;
}

/** A program in the simulated world. What it has really done is written here, by the world alone. */
export class Program {
  isAlive = true;
  session: WatchSession | undefined;
  memory: Memory = { token: undefined, confirmed: undefined, todo: undefined };
  /** The epoch to which it has really adapted; a clone has it from its original. */
  adapted = -1n;
  /** The last epoch that it has confirmed by an ack of its own. */
  acked = -1n;
  /** The quiesce for which it stands still. */
  stillFor: string | undefined;
  /** The quiesce that it was told of last. */
  invitedTo: string | undefined;
  /** The epoch at which the last quiesce that it was told of began. */
  quiesceEpoch = -1n;

  /**
   * @param identity Where the host can prove which process it is; a program elsewhere has none
   */
  constructor(
    readonly id: number,
    readonly name: string,
    readonly identity: ProcessIdentity | undefined,
  ) {}

  get isConnected(): boolean {
    return this.isAlive && this.session !== undefined;
  }
}
