import { z } from "@hono/zod-openapi";
import { SOCKETS, type Tickets } from "../../src/access/tickets.ts";
import { TICKET_MS } from "../../src/core/limits.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { wordOf } from "../../src/wire/scalars.ts";

const TicketBody = z.strictObject({
  socket: wordOf(SOCKETS).optional().openapi({
    description: "What it is to open: the watch socket, or the console of a guest",
    example: "watch",
  }),
}).openapi("TicketRequest", { description: "What the ticket is for" });

const TicketView = z.object({
  ticket: z.string().openapi({
    description: "What the WebSocket is opened with, once",
    example: "b1f0c5d27a9e4b3f8c2d6a7f00112233",
  }),
  expiresInMs: z.int().openapi({
    description: "How long it can be used, in milliseconds",
    example: TICKET_MS,
  }),
}).openapi("Ticket", { description: "A way into one WebSocket" });

const mintTicket = endpointsOf<Tickets>("daemon")({
  method: "post",
  path: "/v1/tickets",
  operationId: "mintTicket",
  summary: "Get a ticket for one WebSocket of this origin: ?ticket=",
  description:
    "A browser cannot send a token with a WebSocket. It gets a ticket by this call and opens the " +
    "socket with `?ticket=`, once and within seconds. The ticket permits what the caller may do now, " +
    "and opens a WebSocket of one kind. A ticket for a console takes the owner's token along.",
  // A body is not required: without one the ticket is for the watch socket.
  request: { body: { content: jsonBody(TicketBody).content } },
  headers: ["Innkeeper-Owner"],
  responses: { 201: json(TicketView, "It is good once") },
  faults: ["tickets-exhausted"],
}).handle((c, tickets) => {
  const { socket = "watch" } = c.req.valid("json");
  const ticket = tickets.mint(c.get("principal"), c.req.header("origin"), {
    socket,
    ownerToken: c.req.header("innkeeper-owner"),
  });
  // A WebSocket needs a connection of its own, and Node would open it on this one.
  c.header("connection", "close");
  return c.json({ ticket, expiresInMs: TICKET_MS }, 201);
});

/** `POST /v1/tickets`: what a page of a browser opens a WebSocket with. */
export function ticketRoutes(tickets: Tickets): Routes {
  return new Routes().add([mintTicket], tickets);
}
