import { z } from "@hono/zod-openapi";
import type { Tickets } from "../../src/access/tickets.ts";
import { TICKET_MS } from "../../src/core/limits.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json } from "../http/openapi.ts";

const TicketView = z.object({ ticket: z.string(), expiresInMs: z.int() }).openapi("Ticket");

const mintTicket = endpointsOf<Tickets>("daemon")({
  method: "post",
  path: "/v1/tickets",
  summary: "Get a ticket for one WebSocket of this origin: ?ticket=",
  responses: { 201: json(TicketView, "It is good once") },
  faults: ["tickets-exhausted"],
}).handle((c, tickets) => {
  const ticket = tickets.mint(c.get("principal"), c.req.header("origin"));
  return c.json({ ticket, expiresInMs: TICKET_MS }, 201);
});

/** `POST /v1/tickets`: what a page of a browser opens a WebSocket with. */
export function ticketRoutes(tickets: Tickets): Routes {
  return new Routes().add([mintTicket], tickets);
}
