import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { TICKET_MS } from "../../src/core/limits.ts";
import type { Tickets } from "../../src/access/tickets.ts";
import type { Env } from "../http/env.ts";
import { json, newRoutes, problems } from "../http/openapi.ts";

const TicketView = z.object({ ticket: z.string(), expiresInMs: z.int() }).openapi("Ticket");

/** `POST /v1/tickets`: what a page of a browser opens a WebSocket with. */
export function ticketRoutes(tickets: Tickets): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/tickets",
      tags: ["daemon"],
      summary: "Get a ticket for one WebSocket of this origin: ?ticket=",
      responses: {
        201: json(TicketView, "It is good once"),
        ...problems("tickets-exhausted"),
      },
    }),
    (c) => {
      const ticket = tickets.mint(c.get("principal"), c.req.header("origin"));
      return c.json({ ticket, expiresInMs: TICKET_MS }, 201);
    },
  );
  return routes;
}
