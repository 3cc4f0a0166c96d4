import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Guests } from "../../src/guests/guests.ts";
import { ChannelList, ChannelView } from "../../src/wire/guests.ts";
import { preferredWaitMs } from "../../src/wire/http/prefer.ts";
import { U64 } from "../../src/wire/scalars.ts";
import type { Env } from "../http/env.ts";
import { GuestParam } from "./views.ts";
import { json, needs, newRoutes, problems } from "../http/openapi.ts";

const tags = ["guests"];
const params = GuestParam.extend({ address: U64 });

/**
 * The channels of a guest: notifies that are counted and do not end the run (seed 003,
 * attach_eventfd()). They need the right to use guests, not ownership: devices attach.
 *
 * @param stopping Ends waits when the daemon stops
 */
export function channelRoutes(guests: Guests, stopping: AbortSignal): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}/channels",
      tags,
      summary: "List the channels of a guest",
      middleware: [needs("read")],
      request: { params: GuestParam },
      responses: {
        200: json(ChannelList, "All channels, by address"),
        ...problems("guest-not-found", "guest-dead", "wrong-guest-kind"),
      },
    }),
    (c) => c.json({ items: guests.get(c.req.valid("param").g).channels.list() }, 200),
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/guests/{g}/channels/{address}",
      tags,
      summary: "Attach to an address: its notifies count from now on and do not end the run",
      middleware: [needs("guest")],
      request: { params },
      responses: {
        201: json(ChannelView, "It is attached"),
        200: json(ChannelView, "It was attached already; nothing has changed"),
        ...problems("guest-not-found", "guest-dead", "wrong-guest-kind", "channels-exhausted"),
      },
    }),
    async (c) => {
      const { g, address } = c.req.valid("param");
      const { channel, created } = await guests.get(g).channels.attach(address);
      return c.json(channel, created ? 201 : 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}/channels/{address}",
      tags,
      summary: "Show how often an address was notified since that was last taken",
      middleware: [needs("read")],
      request: { params },
      responses: {
        200: json(ChannelView, "The channel"),
        ...problems("guest-not-found", "guest-dead", "wrong-guest-kind", "channel-not-found"),
      },
    }),
    (c) => {
      const { g, address } = c.req.valid("param");
      return c.json(guests.get(g).channels.get(address), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/guests/{g}/channels/{address}",
      tags,
      summary: "Detach from an address: its notifies end the run again",
      middleware: [needs("guest")],
      request: { params },
      responses: {
        204: { description: "It is not attached" },
        ...problems("guest-not-found", "guest-dead", "wrong-guest-kind"),
      },
    }),
    async (c) => {
      const { g, address } = c.req.valid("param");
      await guests.get(g).channels.detach(address);
      return c.body(null, 204);
    },
  );
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/guests/{g}/channels/{address}/drain",
      tags,
      summary: "Take the count of an address, waiting for one as Prefer says",
      middleware: [needs("guest")],
      request: { params, headers: z.object({ prefer: z.string().optional() }) },
      responses: {
        200: json(ChannelView, "What was taken; 0 when there was nothing in time"),
        ...problems("guest-not-found", "guest-dead", "wrong-guest-kind", "channel-not-found"),
      },
    }),
    async (c) => {
      const { g, address } = c.req.valid("param");
      const waitMs = preferredWaitMs(c.req.valid("header").prefer);
      if (waitMs !== undefined) c.header("preference-applied", `wait=${waitMs / 1000}`);
      const signal = AbortSignal.any([c.req.raw.signal, stopping]);
      const count = await guests.get(g).channels.drain(address, { waitMs: waitMs ?? 0, signal });
      return c.json({ address: Number(address), count }, 200);
    },
  );
  return routes;
}
