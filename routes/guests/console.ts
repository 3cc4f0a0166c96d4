import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Fault } from "../../src/core/faults.ts";
import { HEARTBEAT_MS } from "../../src/core/limits.ts";
import { CLOSE } from "../../src/sessions/connections.ts";
import { ConsoleSession } from "../../src/sessions/console.ts";
import type { Console } from "../../src/guests/linux/console.ts";
import type { Guests } from "../../src/guests/guests.ts";
import { ConsoleQuery, gapText, refusalText } from "../../src/wire/console_frames.ts";
import { CONSOLE_PROTOCOL } from "../../src/wire/subprotocols.ts";
import { preferredWaitMs } from "../../src/wire/http/prefer.ts";
import type { Clock } from "../../src/core/ports/clock.ts";
import { waitUntil } from "../../src/core/wait_until.ts";
import type { Env } from "../http/env.ts";
import { GuestParam } from "./views.ts";
import { bytes, newRoutes, problems } from "../http/openapi.ts";
import {
  attachSocket,
  type SocketContext,
  type SocketParts,
  type Upgrade,
} from "../../src/sessions/socket.ts";

/** Where the first byte of an answer is, and where the next one will be. */
const [START_HEADER, END_HEADER] = ["innkeeper-console-start", "innkeeper-console-end"];

/**
 * `…/console`: the serial console of a Linux guest, as a WebSocket or as its tail. Reading needs
 * `read`; the WebSocket types, and needs `guest`.
 *
 * @param stopping Ends waits when the daemon stops
 */
export function guestConsoleRoutes(
  guests: Guests,
  parts: SocketContext,
  stopping: AbortSignal,
): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}/console",
      tags: ["guests"],
      summary: "The serial console of a Linux guest",
      description: "What it has written since an offset, waiting for more as Prefer says; " +
        `\`${START_HEADER}\` and \`${END_HEADER}\` tell which bytes these are. As a WebSocket of ` +
        `subprotocol \`${CONSOLE_PROTOCOL}\`: binary frames both ways`,
      request: {
        params: GuestParam,
        query: ConsoleQuery.extend({ ticket: z.string().optional() }),
        headers: z.object({ prefer: z.string().optional() }),
      },
      responses: {
        200: bytes("What it wrote, as far as it is kept; also of a guest that is dead"),
        101: { description: "The WebSocket speaks the subprotocol" },
        ...problems("guest-not-found", "guest-dead", "wrong-guest-kind", "watchers-exhausted"),
      },
    }),
    async (c) => {
      const guest = guests.get(c.req.valid("param").g);
      const { since } = c.req.valid("query");
      if (c.req.header("upgrade")?.toLowerCase() === "websocket") {
        c.get("principal").require("guest");
        guest.requireAlive();
        requireProtocol(c.req.header("sec-websocket-protocol"));
        parts.connections.requireRoom();
        const socketParts = { ...parts, principal: c.get("principal") };
        return openConsole(c.req.raw, guest.console, since, parts.upgrade, socketParts);
      }
      c.get("principal").require("read");
      const waitMs = preferredWaitMs(c.req.valid("header").prefer);
      const signal = AbortSignal.any([c.req.raw.signal, stopping]);
      await more(guest.console, since, { waitMs: waitMs ?? 0, signal, clock: parts.clock });
      const { start, bytes } = guest.console.read(since);
      return new Response(bytes, {
        headers: {
          "content-type": "application/octet-stream",
          [START_HEADER]: String(start),
          [END_HEADER]: String(start + bytes.length),
          ...(waitMs === undefined ? {} : { "preference-applied": `wait=${waitMs / 1000}` }),
        },
      });
    },
  );
  return routes;
}

async function more(
  console: Console,
  since: number,
  { waitMs, signal, clock }: { waitMs: number; signal: AbortSignal; clock: Clock },
): Promise<void> {
  const look = (): true | undefined => console.end > since || console.isOver || undefined;
  const listen = (onChange: () => void): () => void => console.listen(onChange);
  await waitUntil(look, { clock, listen, waitMs, signal });
}

function requireProtocol(offered: string | undefined): void {
  const protocols = (offered ?? "").split(",").map((name) => name.trim());
  if (protocols.includes(CONSOLE_PROTOCOL)) return;
  throw new Fault(
    "malformed-request",
    `Cannot open the console: the WebSocket must offer the subprotocol "${CONSOLE_PROTOCOL}"`,
  );
}

function openConsole(
  request: Request,
  console: Console,
  since: number,
  upgrade: Upgrade,
  parts: SocketParts,
): Response {
  const { response, socket } = upgrade(request, {
    protocol: CONSOLE_PROTOCOL,
    // Every frame has a meaning here, so the WebSocket's own pings look after it.
    idleSeconds: 2 * HEARTBEAT_MS / 1000,
  });
  const session = new ConsoleSession(console, {
    offer: (source) => attached.outbox.offer("console", source, "news"),
    gap: gapText,
    refuse: (fault) => attached.outbox.reply(refusalText(fault)),
    ended: () => attached.close(CLOSE.guestEnded, "the guest has ended"),
  }, since);
  const attached = attachSocket(socket, parts, {
    open: () => session.start(),
    frame: (data) => {
      if (typeof data === "string") return attached.close(CLOSE.badFrame, "frames are bytes");
      session.receive(new Uint8Array(data));
    },
    ping: () => attached.heard(),
    end: () => session.end(),
  });
  return response;
}
