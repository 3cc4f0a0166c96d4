import { type DocumentParts, openApiText } from "./document.ts";
import { endpointsOf, Routes } from "./endpoint.ts";
import { jsonText } from "./text_stream.ts";
import { standard } from "./openapi.ts";

const showOpenApi = endpointsOf<() => string>("daemon")({
  method: "get",
  path: "/openapi.json",
  operationId: "showOpenApi",
  summary: "Show this document",
  description: "Describes every endpoint for programs. `/docs` shows the same to people.",
  responses: { 200: standard("An OpenAPI", { openapi: "3.1.0" }) },
  faults: [],
}).handle((_c, text) => jsonText(text()));

/**
 * `GET /openapi.json`: the API for programs.
 *
 * @param partsOf What the document is made from. Asked for once, when somebody first wants to see it:
 *   most daemons are never asked, and making it takes as long as a thousand requests.
 */
export function openApiRoutes(partsOf: () => DocumentParts): Routes {
  let made: string | undefined;
  return new Routes().add([showOpenApi], () => made ??= openApiText(partsOf()));
}
