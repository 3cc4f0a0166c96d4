import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { getLogger } from "@logtape/logtape";
import { Fault } from "../../src/core/faults.ts";
import { FRAME_BYTES_MAX, HEARTBEAT_MS, SCOPES_PER_CONNECTION_MAX } from "../../src/core/limits.ts";
import { ChannelSession } from "../../src/sessions/channel.ts";
import { CLOSE } from "../../src/sessions/connections.ts";
import { SysgenidSession } from "../../src/sessions/sysgenid.ts";
import { WatchSession } from "../../src/sessions/watch.ts";
import type { WatchSink } from "../../src/sessions/watch_sink.ts";
import type { Guests } from "../../src/guests/guests.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import { faultOf } from "../../src/wire/scalars.ts";
import { problemOf, toJson } from "../../src/wire/problem.ts";
import { SYSGENID_PROTOCOL, WATCH_PROTOCOL } from "../../src/wire/subprotocols.ts";
import {
  errorFrameText,
  frameText,
  readFrame,
  SysgenidQuery,
} from "../../src/wire/watch_frames.ts";
import type { Env } from "../http/env.ts";
import { needs, newRoutes, problems } from "../http/openapi.ts";
import {
  type AttachedSocket,
  attachSocket,
  type SocketContext,
  type SocketParts,
} from "../../src/sessions/socket.ts";

/** What the watch route is put together from. */
interface WatchParts extends SocketContext {
  readonly scopes: Scopes;
  readonly guests: Guests;
}

const log = getLogger(["innkeeper", "watch"]);
const PROTOCOLS = [WATCH_PROTOCOL, SYSGENID_PROTOCOL];

/** `GET /v1/watch`: the WebSocket of watchers, in either subprotocol. */
export function watchRoutes(parts: WatchParts): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/watch",
      tags: ["generations"],
      summary: "Watch scopes over a WebSocket",
      description: `Subprotocol \`${WATCH_PROTOCOL}\`, or \`${SYSGENID_PROTOCOL}\` with ` +
        "`?scope=&name=&track=&leaseMs=`",
      middleware: [needs("watch")],
      responses: {
        101: { description: "The WebSocket speaks the subprotocol that was chosen" },
        ...problems("watchers-exhausted", "scope-not-found"),
      },
    }),
    async (c) => {
      const protocol = protocolOf(c.req.header("upgrade"), c.req.header("sec-websocket-protocol"));
      parts.connections.requireRoom();
      const socketParts = { ...parts, principal: c.get("principal") };
      if (protocol === SYSGENID_PROTOCOL) {
        return await openSysgenid(c.req.raw, c.req.query(), parts, socketParts);
      }
      const { response, socket } = parts.upgrade(c.req.raw, { protocol, idleSeconds: 0 });
      attachWatch(socket, parts, socketParts);
      return response;
    },
  );
  return routes;
}

function protocolOf(upgrade: string | undefined, offered: string | undefined): string {
  const protocols = (offered ?? "").split(",").map((name) => name.trim());
  const chosen = protocols.find((name) => PROTOCOLS.includes(name));
  if (upgrade?.toLowerCase() === "websocket" && chosen !== undefined) return chosen;
  throw new Fault(
    "malformed-request",
    "Cannot open the watch: it must be a WebSocket upgrade that offers the subprotocol " +
      `"${PROTOCOLS.join('" or "')}"`,
  );
}

function attachWatch(
  socket: WebSocket,
  { scopes, guests }: WatchParts,
  parts: SocketParts,
): void {
  const sink: WatchSink = {
    reply: (message) => attached.outbox.reply(frameText(message)),
    refuse: (id, fault) => {
      if (fault.kind === "internal") log.error("frame failed", { error: String(fault.cause) });
      attached.outbox.reply(errorFrameText(id, fault));
    },
    offer: (topic, message, urgency, onSent) =>
      attached.outbox.offer(topic, frameText(message), urgency, onSent),
    withdraw: (topic) => attached.outbox.withdraw(topic),
    takenOver: () => attached.close(CLOSE.takenOver, "another connection has come for a watcher"),
  };
  const session = new WatchSession(scopes, sink);
  const channels = new ChannelSession(guests, parts.principal, sink);
  const attached = attachSocket(socket, parts, {
    open: () =>
      attached.outbox.reply(frameText({
        type: "hello",
        heartbeatMs: HEARTBEAT_MS,
        limits: { frameBytes: FRAME_BYTES_MAX, scopes: SCOPES_PER_CONNECTION_MAX },
      })),
    frame: (data) => takeFrame(data, session, channels, attached),
    ping: () => attached.outbox.offer("ping", frameText({ type: "ping", at: Date.now() }), "news"),
    end: () => {
      channels.end();
      void session.end();
    },
  });
}

function takeFrame(
  data: string | ArrayBuffer,
  session: WatchSession,
  channels: ChannelSession,
  { outbox, close }: AttachedSocket,
): void {
  if (typeof data !== "string") return close(CLOSE.badFrame, "frames are text");
  if (data.length > FRAME_BYTES_MAX) return close(CLOSE.frameTooBig, "frame too big");
  const read = readFrame(data);
  if (!read.ok) {
    if (read.id === undefined) return close(CLOSE.badFrame, "not a frame");
    return outbox.reply(errorFrameText(read.id, read.fault));
  }
  const { frame } = read;
  if (frame.type === "pong") return;
  if (frame.type === "ping") return outbox.reply(frameText({ type: "pong", at: frame.at }));
  const isChannel = frame.type === "attach" || frame.type === "drain";
  const isTaken = isChannel ? channels.receive(frame) : session.receive(frame);
  if (!isTaken) close(CLOSE.tooSlow, "too many frames at once");
}

async function openSysgenid(
  request: Request,
  query: Record<string, string>,
  { scopes, upgrade, connections }: WatchParts,
  parts: SocketParts,
): Promise<Response> {
  const { ticket: _ticket, ...asked } = query;
  const ask = SysgenidQuery.safeParse(asked);
  if (!ask.success) throw faultOf(ask.error, "query");
  const scope = scopes.get(ask.data.scope);
  const { watcher } = await scope.watchers.watch(ask.data);
  try {
    connections.requireRoom();
    const { response, socket } = upgrade(request, {
      protocol: SYSGENID_PROTOCOL,
      idleSeconds: 2 * HEARTBEAT_MS / 1000,
    });
    const session = new SysgenidSession(scope, watcher, {
      offer: (bytes, onSent) => attached.outbox.offer("generation", bytes, "change", onSent),
      withdraw: () => attached.outbox.withdraw("generation"),
      taken: () => attached.outbox.reply(new Uint8Array()),
      refuse: (fault) => attached.outbox.reply(toJson(problemOf(fault))),
      end: () => attached.close(CLOSE.scopeDeleted, "the scope was deleted"),
    });
    const attached = attachSocket(socket, parts, {
      open: () => session.start(),
      frame: (data) => {
        if (typeof data === "string") return attached.close(CLOSE.badFrame, "frames are bytes");
        session.receive(new Uint8Array(data));
      },
      // Every frame has a meaning here, so the WebSocket's own pings look after it.
      ping: () => attached.heard(),
      end: () => void session.end(),
    });
    return response;
  } catch (error) {
    await scope.watchers.release(watcher.id);
    throw error;
  }
}
