import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Guests } from "../../src/guests/guests.ts";
import { rangeOfPath } from "../../src/wire/http/byte_range.ts";
import { bytesAsked, bytesOf, bytesResponse, requireOctets } from "../http/octets.ts";
import type { Env } from "../http/env.ts";
import { GuestParam, OWNED, OWNER_HEADER, OwnerHeaders } from "./views.ts";
import { bytes, bytesBody, needs, newRoutes, problems } from "../http/openapi.ts";

const tags = ["guests"];

/** The memory of a guest that does not run. */
export function memoryRoutes(guests: Guests): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}/memory",
      tags,
      summary: "Read memory",
      middleware: [needs("read")],
      request: {
        params: GuestParam,
        headers: OwnerHeaders.extend({ range: z.string().optional() }),
      },
      responses: {
        200: bytes("All of it"),
        206: bytes("The range"),
        ...problems(...OWNED, "range-not-satisfiable"),
      },
    }),
    async (c) => {
      const guest = guests.owned(c.req.valid("param").g, c.req.header(OWNER_HEADER));
      guest.requireAlive();
      const size = BigInt(guest.memory.sizeBytes);
      const asked = bytesAsked(c.req.header("range"), size);
      const content = await guest.memory.read(asked.start, Number(asked.end - asked.start));
      return bytesResponse(asked, size, content);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/guests/{g}/memory/ranges/{range}",
      tags,
      summary: "Write a range of memory, FIRST-LAST, both inclusive",
      middleware: [needs("guest")],
      request: {
        params: GuestParam.extend({ range: z.string().openapi({ example: "4096-4099" }) }),
        headers: OwnerHeaders,
        body: bytesBody(),
      },
      responses: {
        204: { description: "It is written" },
        ...problems(...OWNED, "wrong-length", "address-out-of-range"),
      },
    }),
    async (c) => {
      const { g, range } = c.req.valid("param");
      const { start, end } = rangeOfPath(range);
      requireOctets(c.req.header("content-type"));
      const guest = guests.owned(g, c.req.header(OWNER_HEADER));
      guest.memory.require(start, end - start);
      await guest.memory.write(start, await bytesOf(c.req.raw, end - start));
      return c.body(null, 204);
    },
  );
  return routes;
}
