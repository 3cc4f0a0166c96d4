import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import { PageView } from "../../src/wire/generations.ts";
import type { Env } from "../http/env.ts";
import { bytes, needs, newRoutes, problems } from "../http/openapi.ts";
import { scopeParams, tags } from "./views.ts";

/** `…/page`: what programs map, and how they get at it. */
export function pageRoutes(scopes: Scopes): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/scopes/{s}/page",
      tags,
      summary: "The sysgenid page: its bytes, or where it is",
      middleware: [needs("read")],
      request: { params: scopeParams },
      responses: {
        200: {
          description: "The bytes of the page; with `Accept: application/json` where it is",
          content: { ...bytes("").content, "application/json": { schema: PageView } },
        },
        ...problems("scope-not-found"),
      },
    }),
    (c) => {
      const { sysgenid, vmclock, visibility } = scopes.get(c.req.valid("param").s).pages;
      if (c.req.header("accept")?.includes("application/json") !== true) {
        return c.body(sysgenid.bytes(), 200, { "content-type": "application/octet-stream" });
      }
      return c.json(
        {
          path: sysgenid.path,
          vmclockPath: vmclock.path,
          sizeBytes: PAGE_BYTES,
          layout: "sysgenid" as const,
          reach: visibility,
          bindMount: `--mount type=bind,source=${sysgenid.path},target=/dev/sysgenid,readonly`,
        } as const,
        200,
      );
    },
  );
  return routes;
}
