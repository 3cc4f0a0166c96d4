import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { etag } from "hono/etag";
import { Fault } from "../../src/core/faults.ts";
import type { Env } from "../http/env.ts";
import { newRoutes } from "../http/openapi.ts";

/** Where the files of the pages come from. Names are checked: letters, `_`, `-` and one ending. */
interface PageFiles {
  /** A file of the console; `undefined` when there is none of that name. */
  console(name: string): Promise<string | undefined>;
  /** A file of the page that shows the API. */
  docs(name: string): Promise<string | undefined>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const OWN_ONLY =
  "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; ";

/** Nothing of another origin, nothing inline, and no text ever becomes markup. */
const CONSOLE_POLICY = `${OWN_ONLY}style-src 'self'; img-src 'self'; ` +
  "require-trusted-types-for 'script'; trusted-types 'none'";

/** Swagger UI sets styles as attributes, and its pictures are in its style sheet. */
const DOCS_POLICY = `${OWN_ONLY}style-src 'self' 'unsafe-inline'; img-src 'self' data:`;

/** `GET /` and `/console/*`: the console; `GET /docs` and below: the API for people to read. */
export function consoleRoutes(files: PageFiles): OpenAPIHono<Env> {
  const routes = newRoutes();
  const unchanged = etag();
  const name = ":name{[a-z_-]+\\.(?:js|css|svg)}";
  const ofConsole = files.console.bind(files);
  const ofDocs = files.docs.bind(files);
  routes.get("/", unchanged, (c) => answer(c, ofConsole, "index.html", CONSOLE_POLICY));
  routes.get(
    `/console/${name}`,
    unchanged,
    (c) => answer(c, ofConsole, c.req.param("name") ?? "", CONSOLE_POLICY),
  );
  routes.get("/docs", unchanged, (c) => answer(c, ofDocs, "index.html", DOCS_POLICY));
  routes.get(
    `/docs/${name}`,
    unchanged,
    (c) => answer(c, ofDocs, c.req.param("name") ?? "", DOCS_POLICY),
  );
  return routes;
}

async function answer(
  c: Context<Env>,
  read: (name: string) => Promise<string | undefined>,
  name: string,
  policy: string,
): Promise<Response> {
  const text = await read(name);
  if (text === undefined) {
    throw new Fault("no-such-path", `Cannot find ${c.req.path.slice(0, 200)}: see /openapi.json`);
  }
  return c.body(text, 200, {
    "content-type": TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    "content-security-policy": policy,
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
}
