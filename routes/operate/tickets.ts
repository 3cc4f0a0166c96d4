import { z } from "@hono/zod-openapi";
import type { Tickets } from "../../src/access/tickets.ts";
import { TICKET_MS } from "../../src/core/limits.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json } from "../http/openapi.ts";

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
    "socket with `?ticket=`, once and within seconds. The ticket permits what the caller may do.",
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
