import type { Fault } from "../core/faults.ts";
import type { Urgency } from "./send_turns.ts";

/** Where the messages of a watch connection go. */
export interface WatchSink {
  /** Sends an answer, or a message that must not be left out. */
  reply(message: object): void;
  /** Refuses a request. */
  refuse(id: number | string, fault: Fault): void;
  /**
   * Sends the newest message of a topic.
   *
   * @param onSent Called when it is written to the socket
   */
  offer(topic: string, message: object, urgency: Urgency, onSent?: () => void): void;
  /** Drops the message of a topic that has not been sent yet. */
  withdraw(topic: string): void;
  /** Ends the connection, because another one speaks for one of its watchers now. */
  takenOver(): void;
}
