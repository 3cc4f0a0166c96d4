import type { Principal } from "../../src/access/tokens.ts";
import { Fault } from "../../src/core/faults.ts";
import { waitUntil } from "../../src/core/wait_until.ts";
import type { Guest } from "../../src/guests/guest/guest.ts";
import type { Guests } from "../../src/guests/guests.ts";
import { CLOSE } from "../../src/sessions/connections.ts";
import { ConsoleSession } from "../../src/sessions/console.ts";
import { offeredProtocol, openByteSocket, type SocketContext } from "../../src/sessions/socket.ts";
import { ConsoleQuery, gapText, refusalText } from "../../src/wire/console_frames.ts";
import { TicketQuery } from "../../src/wire/scalars.ts";
import { CONSOLE_PROTOCOL } from "../../src/wire/subprotocols.ts";
import { GuestParam } from "../../src/wire/guests.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { bytes } from "../http/openapi.ts";
import { onGuest } from "../http/rights.ts";
import { guestForOwnerOrAdmin } from "./views.ts";
import { waitOf } from "../http/wait.ts";

/** What the console is put together from. `stopping` ends waits when the daemon stops. */
interface ConsoleParts {
  readonly guests: Guests;
  readonly sockets: SocketContext;
  readonly stopping: AbortSignal;
}

/** Where the first byte of an answer is, and where the next one will be. */
const [START_HEADER, END_HEADER] = ["innkeeper-console-start", "innkeeper-console-end"];

const openConsole = endpointsOf<ConsoleParts>("guests")({
  method: "get",
  path: "/v1/guests/{g}/console",
  operationId: "readConsole",
  summary: "The serial console of a Linux guest",
  needs: onGuest("guest"),
  description: "What it has written since an offset, waiting for more as `Prefer: wait=N` says; " +
    "`Innkeeper-Console-Start` and `Innkeeper-Console-End` tell which bytes these are. As a " +
    `WebSocket of subprotocol \`${CONSOLE_PROTOCOL}\`: binary frames both ways.`,
  request: {
    params: GuestParam,
    query: ConsoleQuery.extend({ ticket: TicketQuery }),
  },
  headers: ["Innkeeper-Owner", "Prefer", "Sec-WebSocket-Protocol"],
  isSocket: true,
  responses: {
    200: bytes(
      "What it wrote, as far as it is kept; also of a guest that is dead",
      ...["Innkeeper-Console-Start", "Innkeeper-Console-End", "Preference-Applied"] as const,
    ),
    101: { description: "The WebSocket speaks the subprotocol" },
  },
  faults: ["guest-not-found", "not-owner", "guest-dead", "wrong-guest-kind", "watchers-exhausted"],
}).handle(async (c, { guests, sockets, stopping }) => {
  const guest = guestForOwnerOrAdmin(guests, c);
  const { since } = c.req.valid("query");
  const principal = c.get("principal");
  if (c.req.header("upgrade")?.toLowerCase() === "websocket") {
    guest.requireAlive();
    requireProtocol(c.req.header("sec-websocket-protocol"));
    sockets.connections.requireRoom();
    return openSocket(c.req.raw, guest, since, principal, sockets);
  }
  const { console } = guest;
  const isMore = (): true | undefined => console.end > since || console.isOver || undefined;
  const listen = (onChange: () => void): () => void => console.listen(onChange);
  const { waitMs, signal } = waitOf(c, stopping);
  await waitUntil(isMore, { clock: sockets.clock, listen, waitMs, signal });
  // Somebody else may have become the owner meanwhile.
  if (waitMs > 0 && guest.death === undefined) guestForOwnerOrAdmin(guests, c);
  const { start, bytes } = console.read(since);
  return c.body(bytes, 200, {
    "content-type": "application/octet-stream",
    [START_HEADER]: String(start),
    [END_HEADER]: String(start + bytes.length),
  });
});

function requireProtocol(offer: string | undefined): void {
  if (offeredProtocol(offer, [CONSOLE_PROTOCOL]) !== undefined) return;
  throw new Fault(
    "malformed-request",
    `Cannot open the console: the WebSocket must offer the subprotocol "${CONSOLE_PROTOCOL}"`,
  );
}

function openSocket(
  request: Request,
  { console, owner }: Guest,
  since: number,
  principal: Principal,
  sockets: SocketContext,
): Response {
  return openByteSocket(
    request,
    CONSOLE_PROTOCOL,
    principal,
    sockets,
    ({ outbox, close }) => {
      const session = new ConsoleSession(console, {
        offer: (source) => outbox.offer("console", source, "news"),
        gap: gapText,
        refuse: (fault) => outbox.reply(refusalText(fault)),
        ended: () => close(CLOSE.guestEnded, "the guest has ended"),
      }, since);
      const unfollow = principal.may("admin")
        ? () => {}
        : owner.onChange(() => close(CLOSE.tokenRemoved, "the guest has another owner"));
      return {
        start: () => session.start(),
        receive: (bytes) => session.receive(bytes),
        end() {
          unfollow();
          session.end();
        },
      };
    },
  );
}

/** `…/console`: the serial console of a Linux guest, as a WebSocket or as its tail. */
export function guestConsoleRoutes(
  guests: Guests,
  sockets: SocketContext,
  stopping: AbortSignal,
): Routes {
  return new Routes().add([openConsole], { guests, sockets, stopping });
}
