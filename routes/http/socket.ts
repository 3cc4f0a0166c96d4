import type { Clock } from "../../src/core/ports/clock.ts";
import type { Principal } from "../../src/access/tokens.ts";
import { CLOSE, type Connection, type Connections } from "../../src/sessions/connections.ts";
import { Outbox } from "../../src/sessions/outbox.ts";
import type { SendTurns } from "../../src/sessions/send_turns.ts";

/** How a request becomes a WebSocket. */
interface UpgradeOptions {
  readonly protocol: string;
  /** Pings of the WebSocket protocol itself end it after so many seconds of silence; 0 for none. */
  readonly idleSeconds: number;
}

/** Turns a request into a WebSocket. */
export type Upgrade = (request: Request, options: UpgradeOptions) => {
  readonly response: Response;
  readonly socket: WebSocket;
};

/** What a WebSocket is attached to. */
export interface SocketParts {
  readonly principal: Principal;
  /** Whether its token is still in force. */
  readonly isKnown: (principal: Principal) => boolean;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly turns: SendTurns;
}

/** What all WebSockets of a house share, and how a request becomes one. */
export interface SocketContext extends Omit<SocketParts, "principal"> {
  readonly upgrade: Upgrade;
}

/** A WebSocket with its place in the house. */
export interface AttachedSocket {
  readonly outbox: Outbox;
  /** It is known to be alive, by other means than a frame. */
  heard(): void;
  /** Ends it; the client is told why. */
  close(code: number, reason: string): void;
}

/** What happens on a WebSocket. */
interface SocketEvents {
  open(): void;
  /** A frame came: a string, or bytes. */
  frame(data: string | ArrayBuffer): void;
  /** Asks for a sign of life. */
  ping(): void;
  /** It is over, whoever ended it; called once. */
  end(): void;
}

/** Gives a WebSocket an outbox, a place among the connections, and an end that happens once. */
export function attachSocket(
  socket: WebSocket,
  { principal, isKnown, connections, clock, turns }: SocketParts,
  events: SocketEvents,
): AttachedSocket {
  const outbox = new Outbox({
    socket,
    clock,
    turns,
    onTooSlow: () => connection.close(CLOSE.tooSlow, "the client does not read what it is sent"),
  });
  const { promise: closed, resolve: gone } = Promise.withResolvers<void>();
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    connections.delete(connection);
    outbox.close();
    events.end();
  };
  const connection: Connection = {
    principal,
    closed,
    ping: () => events.ping(),
    close(code, reason) {
      socket.close(code, reason);
      // A client that no longer reads never lets the close event happen.
      end();
    },
  };
  connections.add(connection);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    events.open();
    outbox.opened();
    // It may have been let in by a token that was removed while it connected.
    if (!isKnown(principal)) connection.close(CLOSE.tokenRemoved, "the token was removed");
  };
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    connections.heard(connection);
    events.frame(data);
  };
  socket.onerror = end;
  socket.onclose = () => {
    end();
    gone();
  };
  return {
    outbox,
    heard: () => connections.heard(connection),
    close: (code, reason) => connection.close(code, reason),
  };
}
