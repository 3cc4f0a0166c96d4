import type { OpenAPIHono } from "@hono/zod-openapi";
import { asyncApi } from "../src/wire/asyncapi.ts";
import type { Env } from "./env.ts";
import { newRoutes } from "./openapi.ts";

const LINKS = ["/openapi.json", "/asyncapi.json", "/healthz", "/readyz", "/version"];

/** `GET /`: what this is, for a person with a browser; `GET /asyncapi.json` for a program. */
export function homeRoutes(version: string): OpenAPIHono<Env> {
  const routes = newRoutes();
  const links = LINKS.map((path) => `<li><a href="${path}">${path}</a></li>`).join("");
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Innkeeper</title>
<h1>Innkeeper ${version}</h1>
<p>Keeps the guests of this machine. Its API is described in /openapi.json; requests over TCP
need the token of the token file.</p><ul>${links}</ul></html>
`;
  routes.get("/", (c) =>
    c.html(page, 200, {
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    }));
  routes.get("/asyncapi.json", (c) => c.json(asyncApi(version)));
  return routes;
}
