import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Guest } from "../../src/guests/guest/guest.ts";
import type { Guests } from "../../src/guests/guests.ts";
import {
  RegisterBody,
  RegistersBody,
  RegistersView,
  RegisterView,
  VcpuQuery,
} from "../../src/wire/guests.ts";
import type { Env } from "../http/env.ts";
import { GuestParam, OWNED, OWNER_HEADER, OwnerHeaders } from "./views.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

const tags = ["guests"];

/** The registers of a guest that does not run (seed 003, getreg_setup() and setreg()). */
export function registerRoutes(guests: Guests): OpenAPIHono<Env> {
  const routes = newRoutes();
  const one = GuestParam.extend({ name: z.string().max(40) });
  const owned = (g: string, token: string | undefined): Guest => guests.owned(g, token);
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}/registers",
      tags,
      summary: "Show all registers",
      middleware: [needs("read")],
      request: { params: GuestParam, headers: OwnerHeaders, query: VcpuQuery },
      responses: {
        200: json(RegistersView, "Every register"),
        ...problems(...OWNED, "vcpu-out-of-range"),
      },
    }),
    async (c) => {
      const guest = owned(c.req.valid("param").g, c.req.header(OWNER_HEADER));
      return c.json(textOf(await guest.registers.all()), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/guests/{g}/registers/{name}",
      tags,
      summary: "Show one register",
      middleware: [needs("read")],
      request: { params: one, headers: OwnerHeaders, query: VcpuQuery },
      responses: {
        200: json(RegisterView, "The register"),
        ...problems(...OWNED, "register-unknown", "vcpu-out-of-range"),
      },
    }),
    async (c) => {
      const { g, name } = c.req.valid("param");
      const value = await owned(g, c.req.header(OWNER_HEADER)).registers.get(name);
      return c.json({ name, value: String(value) }, 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/guests/{g}/registers/{name}",
      tags,
      summary: "Set one register",
      middleware: [needs("guest")],
      request: {
        params: one,
        headers: OwnerHeaders,
        query: VcpuQuery,
        body: jsonBody(RegisterBody),
      },
      responses: {
        200: json(RegisterView, "The register"),
        ...problems(...OWNED, "register-unknown", "register-read-only", "vcpu-out-of-range"),
      },
    }),
    async (c) => {
      const { g, name } = c.req.valid("param");
      const { value } = c.req.valid("json");
      await owned(g, c.req.header(OWNER_HEADER)).registers.set(new Map([[name, value]]));
      return c.json({ name, value: String(value) }, 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "patch",
      path: "/v1/guests/{g}/registers",
      tags,
      summary: "Set several registers, all or none",
      middleware: [needs("guest")],
      request: {
        params: GuestParam,
        headers: OwnerHeaders,
        query: VcpuQuery,
        body: jsonBody(RegistersBody),
      },
      responses: {
        200: json(RegistersView, "Every register"),
        ...problems(...OWNED, "register-unknown", "register-read-only", "vcpu-out-of-range"),
      },
    }),
    async (c) => {
      const guest = owned(c.req.valid("param").g, c.req.header(OWNER_HEADER));
      await guest.registers.set(new Map(Object.entries(c.req.valid("json"))));
      return c.json(textOf(await guest.registers.all()), 200);
    },
  );
  return routes;
}

function textOf(registers: Readonly<Record<string, bigint>>): Record<string, string> {
  return Object.fromEntries(Object.entries(registers).map(([name, value]) => [name, `${value}`]));
}
