import type { Principal } from "../access/tokens.ts";
import type { Clock } from "../core/ports/clock.ts";
import { HEARTBEAT_MS } from "../core/limits.ts";
import { CLOSE, type Connection, type Connections } from "./connections.ts";
import { Outbox } from "./outbox.ts";
import type { SendTurns } from "./send_turns.ts";

/** How a request becomes a WebSocket. */
interface UpgradeOptions {
  readonly protocol: string;
  /**
   * Seconds of silence after which the pings of the WebSocket protocol itself end the connection; 0
   * sends none.
   */
  readonly idleSeconds: number;
}

/** What all WebSockets of a daemon share, and how a request becomes one. */
export interface SocketContext {
  /** Whether the token of a principal is still in force. */
  readonly isKnown: (principal: Principal) => boolean;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly turns: SendTurns;
  readonly upgrade: (request: Request, options: UpgradeOptions) => {
    readonly response: Response;
    readonly socket: WebSocket;
  };
}

/** A WebSocket that is counted among the connections and sends through an outbox. */
export interface AttachedSocket {
  readonly outbox: Outbox;
  /** Counts as a sign of life, for connections whose frames are not one. */
  heard(): void;
  /** Ends the connection; the client is sent the reason. */
  close(code: number, reason: string): void;
}

/** What happens on a WebSocket. */
interface SocketEvents {
  open(): void;
  /** A frame came: text, or bytes. */
  frame(data: string | ArrayBuffer): void;
  /** The client must give a sign of life. */
  ping(): void;
  /** The connection is over, whoever ended it; called once. */
  end(): void;
}

/** Gives a WebSocket an outbox, a place among the connections, and an end that happens once. */
export function attachSocket(
  socket: WebSocket,
  principal: Principal,
  { isKnown, connections, clock, turns }: SocketContext,
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
    // The token that let it in may have been removed while it connected.
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

/** A conversation in which frames are bytes. */
interface ByteSession {
  /** The socket is open. */
  start(): void;
  receive(bytes: Uint8Array): void;
  /** Takes a text, where the session has a use for it. */
  readonly receiveText?: ((text: string) => void) | undefined;
  /** The connection is over. */
  end(): void | Promise<void>;
}

/**
 * Turns a request into a WebSocket for a session of bytes. Every frame has a meaning there, so the
 * pings of the WebSocket protocol itself find out whether the client is alive.
 *
 * @param begin Makes the session, which sends by this socket
 */
export function openByteSocket(
  request: Request,
  protocol: string,
  principal: Principal,
  context: SocketContext,
  begin: (socket: AttachedSocket) => ByteSession,
): Response {
  const idleSeconds = 2 * HEARTBEAT_MS / 1000;
  const { response, socket } = context.upgrade(request, { protocol, idleSeconds });
  const attached = attachSocket(socket, principal, context, {
    open: () => session.start(),
    frame: (data) => {
      if (typeof data === "string") {
        if (session.receiveText !== undefined) return session.receiveText(data);
        return attached.close(CLOSE.badFrame, "frames are bytes");
      }
      session.receive(new Uint8Array(data));
    },
    ping: () => attached.heard(),
    end: () => void session.end(),
  });
  const session = begin(attached);
  return response;
}

/** The first of these subprotocols that a client offers by `Sec-WebSocket-Protocol`. */
export function offeredProtocol(
  offer: string | undefined,
  known: readonly string[],
): string | undefined {
  return offer?.split(",").map((name) => name.trim()).find((name) => known.includes(name));
}
