import { getLogger } from "@logtape/logtape";
import type { Principal } from "../../src/access/tokens.ts";
import { Fault } from "../../src/core/faults.ts";
import { FRAME_BYTES_MAX, HEARTBEAT_MS, SCOPES_PER_CONNECTION_MAX } from "../../src/core/limits.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import type { Guests } from "../../src/guests/guests.ts";
import { ChannelSession } from "../../src/sessions/channel.ts";
import { CLOSE } from "../../src/sessions/connections.ts";
import {
  type AttachedSocket,
  attachSocket,
  offeredProtocol,
  openByteSocket,
  type SocketContext,
} from "../../src/sessions/socket.ts";
import { SysgenidSession } from "../../src/sessions/sysgenid.ts";
import { WatchSession } from "../../src/sessions/watch.ts";
import type { WatchSink } from "../../src/sessions/watch_sink.ts";
import { problemOf, toJson } from "../../src/wire/problem.ts";
import { faultOf, TicketQuery } from "../../src/wire/scalars.ts";
import { SYSGENID_PROTOCOL, WATCH_PROTOCOL } from "../../src/wire/subprotocols.ts";
import {
  errorFrameText,
  readFrame,
  SysgenidQuery,
  WatchProtocolsView,
} from "../../src/wire/watch_frames.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json } from "../http/openapi.ts";

/** What the watch route is put together from. */
interface WatchParts extends SocketContext {
  readonly scopes: Scopes;
  readonly guests: Guests;
}

const log = getLogger(["innkeeper", "watch"]);
const PROTOCOLS = [WATCH_PROTOCOL, SYSGENID_PROTOCOL];

const openWatch = endpointsOf<WatchParts>("generations")({
  method: "get",
  path: "/v1/watch",
  operationId: "openWatch",
  summary: "Watch scopes over a WebSocket",
  description: `Subprotocol \`${WATCH_PROTOCOL}\`, or \`${SYSGENID_PROTOCOL}\` with ` +
    "`?scope=&name=&track=&leaseMs=&quiesce=&token=&process=`",
  needs: { permission: "watch", on: { kind: "scopes", in: "each frame" } },
  isReadByHand: true,
  request: { query: SysgenidQuery.partial().extend({ ticket: TicketQuery }) },
  headers: ["Sec-WebSocket-Protocol"],
  isSocket: true,
  responses: {
    101: { description: "The WebSocket speaks the subprotocol that was chosen" },
    200: json(WatchProtocolsView, "What can be opened here, for `Accept: application/json`"),
  },
  faults: ["watchers-exhausted", "scope-not-found"],
}).handle(async (c, parts) => {
  const isUpgrade = c.req.header("upgrade") !== undefined;
  if (!isUpgrade && c.req.header("accept")?.includes("application/json") === true) {
    return c.json({ subprotocols: [...PROTOCOLS], asyncapi: "/asyncapi.json" }, 200);
  }
  const protocol = protocolOf(c.req.header("upgrade"), c.req.header("sec-websocket-protocol"));
  parts.connections.requireRoom();
  const principal = c.get("principal");
  if (protocol === SYSGENID_PROTOCOL) {
    return await openSysgenid(c.req.raw, c.req.query(), principal, parts);
  }
  const { response, socket } = parts.upgrade(c.req.raw, { protocol, idleSeconds: 0 });
  attachWatch(socket, principal, parts);
  return response;
});

function protocolOf(upgrade: string | undefined, offer: string | undefined): string {
  const chosen = offeredProtocol(offer, PROTOCOLS);
  if (upgrade?.toLowerCase() === "websocket" && chosen !== undefined) return chosen;
  throw new Fault(
    "malformed-request",
    "Cannot open the watch: it must be a WebSocket upgrade that offers the subprotocol " +
      `"${PROTOCOLS.join('" or "')}"`,
  );
}

function attachWatch(socket: WebSocket, principal: Principal, parts: WatchParts): void {
  const sink: WatchSink = {
    reply: (message) => attached.outbox.reply(toJson(message)),
    refuse: (id, fault) => {
      if (fault.kind === "internal") log.error("frame failed", { error: String(fault.cause) });
      attached.outbox.reply(errorFrameText(id, fault));
    },
    offer: (topic, message, urgency, onSent) =>
      attached.outbox.offer(topic, toJson(message), urgency, onSent),
    withdraw: (topic) => attached.outbox.withdraw(topic),
    takenOver: () => attached.close(CLOSE.takenOver, "another connection has come for a watcher"),
  };
  const session = new WatchSession(parts.scopes, sink, principal);
  const channels = new ChannelSession(parts.guests, principal, sink);
  const attached = attachSocket(socket, principal, parts, {
    open: () =>
      sink.reply({
        type: "hello",
        heartbeatMs: HEARTBEAT_MS,
        limits: { frameBytes: FRAME_BYTES_MAX, scopes: SCOPES_PER_CONNECTION_MAX },
      }),
    frame: (data) => takeFrame(data, session, channels, attached),
    ping: () => sink.offer("ping", { type: "ping", at: Date.now() }, "news"),
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
  if (frame.type === "ping") return outbox.reply(toJson({ type: "pong", at: frame.at }));
  const isChannel = frame.type === "attach" || frame.type === "drain";
  const isTaken = isChannel ? channels.receive(frame) : session.receive(frame);
  if (!isTaken) close(CLOSE.tooSlow, "too many frames at once");
}

async function openSysgenid(
  request: Request,
  { ticket: _ticket, ...query }: Record<string, string>,
  principal: Principal,
  parts: WatchParts,
): Promise<Response> {
  const { data, error } = SysgenidQuery.safeParse(query);
  if (error !== undefined) throw faultOf(error, "query");
  principal.require("watch", { kind: "scopes", name: data.scope });
  const scope = parts.scopes.get(data.scope);
  const { quiesce: canQuiesce, ...watching } = data;
  const { watcher } = await scope.watchers.watch({ ...watching, keepsToken: true }, principal);
  try {
    parts.connections.requireRoom();
    return openByteSocket(
      request,
      SYSGENID_PROTOCOL,
      principal,
      parts,
      ({ outbox, close }) =>
        new SysgenidSession(scope, watcher, {
          offer: (bytes, onSent) => outbox.offer("generation", bytes, "change", onSent),
          withdraw: () => outbox.withdraw("generation"),
          taken: () => outbox.reply(new Uint8Array()),
          refuse: (fault) => outbox.reply(toJson(problemOf(fault))),
          notice: (message) => outbox.offer("quiesce", toJson(message), "change"),
          takenOver: () => close(CLOSE.takenOver, "another connection has come for the watcher"),
          end: () => close(CLOSE.scopeDeleted, "the scope was deleted"),
        }, canQuiesce),
    );
  } catch (error) {
    // As if its connection had been cut: one that came back must not be gone with this.
    await scope.watchers.leave(watcher.id, watcher.tokenHash);
    throw error;
  }
}

/** `GET /v1/watch`: the WebSocket of watchers, in either subprotocol. */
export function watchRoutes(parts: WatchParts): Routes {
  return new Routes().add([openWatch], parts);
}
