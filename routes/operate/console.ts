import type { Context } from "hono";
import { etag } from "hono/etag";
import { Fault } from "../../src/core/faults.ts";
import { Routes } from "../http/endpoint.ts";
import type { Env } from "../http/env.ts";

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
export function consoleRoutes(files: PageFiles): Routes {
  const routes = new Routes();
  const unchanged = etag();
  const pages = [
    ["/", "/console", (name: string) => files.console(name), CONSOLE_POLICY],
    ["/docs", "/docs", (name: string) => files.docs(name), DOCS_POLICY],
  ] as const;
  for (const [index, folder, read, policy] of pages) {
    routes.get(index, unchanged, (c) => answer(c, read, "index.html", policy));
    routes.get(
      `${folder}/:name{[a-z_-]+\\.(?:js|css|svg)}`,
      unchanged,
      (c) => answer(c, read, c.req.param("name") ?? "", policy),
    );
  }
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
