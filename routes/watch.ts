import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { Fault } from "../src/core/faults.ts";
import { FRAME_BYTES_MAX, HEARTBEAT_MS, SCOPES_PER_CONNECTION_MAX } from "../src/core/limits.ts";
import type { Clock } from "../src/core/ports/clock.ts";
import type { Principal } from "../src/daemon/auth.ts";
import { CLOSE, type Connection, type Connections } from "../src/daemon/connections.ts";
import { Outbox } from "../src/daemon/outbox.ts";
import { WatchSession } from "../src/daemon/watch_session.ts";
import type { Scopes } from "../src/generations/scopes.ts";
import { errorFrameText, frameText, readFrame, WATCH_PROTOCOL } from "../src/wire/watch_frames.ts";
import type { Env } from "./env.ts";
import { needs, newRoutes, problems } from "./openapi.ts";

/** Turns a request into a WebSocket that speaks the given subprotocol. */
export type Upgrade = (request: Request, protocol: string) => {
  readonly response: Response;
  readonly socket: WebSocket;
};

/** What the watch route is put together from. */
export interface WatchParts {
  readonly scopes: Scopes;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly upgrade: Upgrade;
}

/** `GET /v1/watch`: the WebSocket of watchers. */
export function watchRoutes(parts: WatchParts): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/watch",
      tags: ["generations"],
      summary: "Watch scopes over a WebSocket",
      middleware: [needs("watch")],
      responses: {
        101: { description: `The WebSocket speaks \`${WATCH_PROTOCOL}\`` },
        ...problems("watchers-exhausted"),
      },
    }),
    (c) => {
      requireProtocol(c.req.header("upgrade"), c.req.header("sec-websocket-protocol"));
      parts.connections.requireRoom();
      const { response, socket } = parts.upgrade(c.req.raw, WATCH_PROTOCOL);
      attach(socket, c.get("principal"), parts);
      return response;
    },
  );
  return routes;
}

function requireProtocol(upgrade: string | undefined, offered: string | undefined): void {
  const protocols = (offered ?? "").split(",").map((name) => name.trim());
  if (upgrade?.toLowerCase() === "websocket" && protocols.includes(WATCH_PROTOCOL)) return;
  throw new Fault(
    "malformed-request",
    `Cannot open the watch: it must be a WebSocket upgrade that offers the subprotocol ` +
      `"${WATCH_PROTOCOL}"`,
  );
}

function attach(
  socket: WebSocket,
  principal: Principal,
  { scopes, connections, clock }: WatchParts,
): void {
  const outbox = new Outbox(
    socket,
    clock,
    () => connection.close(CLOSE.tooSlow, "the client does not read what it is sent"),
  );
  const session = new WatchSession(scopes, {
    reply: (message) => outbox.reply(frameText(message)),
    refuse: (id, fault) => outbox.reply(errorFrameText(id, fault)),
    offer: (topic, message) => outbox.offer(topic, frameText(message)),
    withdraw: (topic) => outbox.withdraw(topic),
  });
  const end = (): void => {
    connections.delete(connection);
    outbox.close();
    void session.end();
  };
  const { promise: closed, resolve: gone } = Promise.withResolvers<void>();
  const connection: Connection = {
    principal,
    closed,
    ping: () => outbox.offer("ping", frameText({ type: "ping", at: Date.now() })),
    close(code, reason) {
      socket.close(code, reason);
      // A client that no longer reads never lets the close event happen.
      end();
    },
  };
  const receive = (data: unknown): void => {
    connections.heard(connection);
    if (typeof data !== "string") return connection.close(CLOSE.badFrame, "frames are text");
    if (data.length > FRAME_BYTES_MAX) return connection.close(CLOSE.frameTooBig, "frame too big");
    const read = readFrame(data);
    if (!read.ok) {
      if (read.id === undefined) return connection.close(CLOSE.badFrame, "not a frame");
      return outbox.reply(errorFrameText(read.id, read.fault));
    }
    const { frame } = read;
    if (frame.type === "pong") return;
    if (frame.type === "ping") return outbox.reply(frameText({ type: "pong", at: frame.at }));
    if (!session.receive(frame)) connection.close(CLOSE.tooSlow, "too many frames at once");
  };
  connections.add(connection);
  socket.onopen = () =>
    outbox.reply(frameText({
      type: "hello",
      heartbeatMs: HEARTBEAT_MS,
      limits: { frameBytes: FRAME_BYTES_MAX, scopes: SCOPES_PER_CONNECTION_MAX },
    }));
  socket.onmessage = ({ data }) => receive(data);
  socket.onerror = end;
  socket.onclose = () => {
    end();
    gone();
  };
}
