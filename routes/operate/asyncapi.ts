import type { OpenAPIHono } from "@hono/zod-openapi";
import { asyncApi } from "../../src/wire/asyncapi.ts";
import type { Env } from "../http/env.ts";
import { newRoutes } from "../http/openapi.ts";

/** `GET /asyncapi.json`: the WebSocket's side of the API, for programs. */
export function asyncApiRoutes(version: string): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.get("/asyncapi.json", (c) => c.json(asyncApi(version)));
  return routes;
}
