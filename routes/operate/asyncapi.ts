import { asyncApi } from "../../src/wire/asyncapi.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { jsonText } from "../http/text_stream.ts";
import { standard } from "../http/openapi.ts";

const showAsyncApi = endpointsOf<() => string>("daemon")({
  method: "get",
  path: "/asyncapi.json",
  operationId: "showAsyncApi",
  summary: "Show what is said on the WebSockets",
  description: "Describes every frame of every subprotocol for programs. It needs no token.",
  responses: { 200: standard("An AsyncAPI", { asyncapi: "3.1.0" }) },
  faults: [],
}).handle((_c, text) => jsonText(text()));

/** `GET /asyncapi.json`: the WebSocket's side of the API, for programs. It is made once. */
export function asyncApiRoutes(version: string): Routes {
  let made: string | undefined;
  return new Routes().add([showAsyncApi], () => made ??= JSON.stringify(asyncApi(version)));
}
