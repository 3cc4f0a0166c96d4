import { PAGE_BYTES } from "../../src/core/limits.ts";
import { PageView, ScopeParam } from "../../src/wire/generations.ts";
import { BYTES, json } from "../http/openapi.ts";
import { onScope } from "../http/rights.ts";
import { endpoint } from "./views.ts";

/** `…/page`: what programs map, and how they get at it. */
export const showPage = endpoint({
  method: "get",
  path: "/v1/scopes/{s}/page",
  operationId: "showPage",
  summary: "The sysgenid page: its bytes, or where it is",
  description:
    "The page shows the current generation as a native-endian u32 at offset 0. Programs of this " +
    "host map it from its path; others can read its bytes here.",
  needs: onScope("read"),
  request: { params: ScopeParam },
  responses: {
    200: {
      description: "The bytes of the page; with `Accept: application/json` where it is",
      content: { ...BYTES, ...json(PageView, "").content },
    },
  },
  faults: ["scope-not-found"],
}).handle((c, { scopes }) => {
  const { sysgenid, vmclock, visibility } = scopes.get(c.req.valid("param").s).pages;
  if (c.req.header("accept")?.includes("application/json") !== true) {
    return c.body(sysgenid.bytes(), 200, { "content-type": "application/octet-stream" });
  }
  return c.json({
    path: sysgenid.path,
    vmclockPath: vmclock.path,
    sizeBytes: PAGE_BYTES,
    layout: "sysgenid" as const,
    reach: visibility,
    bindMount: `--mount type=bind,source=${sysgenid.path},target=/dev/sysgenid,readonly`,
  }, 200);
});
