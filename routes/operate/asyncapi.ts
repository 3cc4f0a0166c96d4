import { asyncApi } from "../../src/wire/asyncapi.ts";
import { Routes } from "../http/endpoint.ts";

/** `GET /asyncapi.json`: the WebSocket's side of the API, for programs. */
export function asyncApiRoutes(version: string): Routes {
  const routes = new Routes();
  routes.get("/asyncapi.json", (c) => c.json(asyncApi(version)));
  return routes;
}
