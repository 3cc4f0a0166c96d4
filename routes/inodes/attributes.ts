import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Clock } from "../../src/core/ports/clock.ts";
import type { AttributeChange } from "../../src/core/ports/backing_file.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import type { TimeName } from "../../src/inodes/writeback/touched_times.ts";
import {
  Discard,
  InodePatchBody,
  InodeView,
  LinkBody,
  RangeBody,
  RevalidatedView,
  TouchBody,
} from "../../src/wire/inodes.ts";
import { Name } from "../../src/wire/scalars.ts";
import type { Env } from "../http/env.ts";
import { entityTags, etagOf, inodeView } from "./views.ts";
import { json, jsonBody, needs, newRoutes, patchBody, problems } from "../http/openapi.ts";

const params = z.object({ i: Name });
const tags = ["inodes"];
const done = { description: "It is done" };
const ifMatch = z.object({ "if-match": z.string().optional() });

/** Faults of every change of a file. */
const CHANGES = [
  "inode-not-found",
  "inode-read-only",
  "inode-stale",
  "backing-changed",
  "backing-failed",
  "backing-full",
  "file-not-permitted",
  "root-read-only",
] as const;

/** Faults of what names a path. */
const PATHS = ["outside-root", "file-not-found", "file-exists", "not-a-file"] as const;

/** Attributes, names and freshness of an inode. */
export function inodeAttributeRoutes(store: InodeStore): OpenAPIHono<Env> {
  const routes = newRoutes();

  routes.openapi(
    createRoute({
      method: "patch",
      path: "/v1/inodes/{i}",
      tags,
      summary: "Set the size, permissions, owner or times, in the backing file too",
      middleware: [needs("write")],
      request: { params, headers: ifMatch, body: patchBody(InodePatchBody) },
      responses: {
        200: json(InodeView, "The inode as it is now"),
        ...problems(...CHANGES, "cache-full"),
      },
    }),
    async (c) => {
      const inode = store.inode(c.req.valid("param").i);
      const tags = entityTags(c.req.valid("header")["if-match"]);
      await inode.setAttributes(changeOf(c.req.valid("json"), store.clock), { ifMatch: tags });
      return c.json(inodeView(inode), 200, etagOf(inode));
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/touch",
      tags,
      summary: "Set cached times to now; a sync brings them to the backing file",
      middleware: [needs("write")],
      request: { params, body: jsonBody(TouchBody) },
      responses: { 204: done, ...problems("inode-not-found") },
    }),
    (c) => {
      const { access, modification, status } = c.req.valid("json");
      const names: TimeName[] = [
        ...access === true ? ["accessTime" as const] : [],
        ...modification === true ? ["modificationTime" as const] : [],
        ...status === true ? ["statusChangeTime" as const] : [],
      ];
      store.inode(c.req.valid("param").i).touch(names);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/links",
      tags,
      summary: "Give the file another name below its root",
      middleware: [needs("write")],
      request: { params, body: jsonBody(LinkBody) },
      responses: { 201: { description: "It has the name" }, ...problems(...CHANGES, ...PATHS) },
    }),
    async (c) => {
      await store.inode(c.req.valid("param").i).link(c.req.valid("json").path);
      return c.body(null, 201);
    },
  );

  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/inodes/{i}/links",
      tags,
      summary: "Take a name of the file away; it stays open",
      middleware: [needs("write")],
      request: { params, query: z.strictObject({ path: z.string() }) },
      responses: { 204: done, ...problems(...CHANGES, ...PATHS) },
    }),
    async (c) => {
      await store.inode(c.req.valid("param").i).unlink(c.req.valid("query").path);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/allocate",
      tags,
      summary: "Reserve storage for a range; the content is so long at least",
      middleware: [needs("write")],
      request: { params, body: jsonBody(RangeBody) },
      responses: { 204: done, ...problems(...CHANGES) },
    }),
    async (c) => {
      const { offset, length } = c.req.valid("json");
      await store.inode(c.req.valid("param").i).allocate(offset, length);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/revalidate",
      tags,
      summary: "Take over what was changed from outside",
      middleware: [needs("write")],
      request: { params },
      responses: {
        200: json(RevalidatedView, "Whether anything was"),
        ...problems("inode-not-found", "backing-changed", "backing-failed"),
      },
    }),
    async (c) => {
      const changed = await store.inode(c.req.valid("param").i).revalidate();
      return c.json({ changed }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/reopen",
      tags,
      summary: "Open the file anew, perhaps another one by now, and end all translations",
      middleware: [needs("write")],
      request: { params },
      responses: { 204: done, ...problems(...CHANGES, ...PATHS, "inode-mode-differs") },
    }),
    async (c) => {
      await store.reopen(c.req.valid("param").i);
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/invalidate",
      tags,
      summary: "End all translations, write back, or discard what cannot be, and drop the cache",
      middleware: [needs("write")],
      request: { params, query: z.strictObject({ discard: Discard }) },
      responses: { 204: done, ...problems(...CHANGES) },
    }),
    async (c) => {
      await store.inode(c.req.valid("param").i).invalidate(c.req.valid("query").discard);
      return c.body(null, 204);
    },
  );

  return routes;
}

function changeOf(
  { size, accessTime, modificationTime, permissions, uid, gid }: z.output<typeof InodePatchBody>,
  clock: Clock,
): AttributeChange & { sizeBytes?: bigint } {
  const now = clock.wallNs();
  return {
    ...size === undefined ? {} : { sizeBytes: size },
    ...permissions === undefined ? {} : { permissions },
    ...uid === undefined ? {} : { uid },
    ...gid === undefined ? {} : { gid },
    ...accessTime === undefined ? {} : { accessTimeNs: accessTime === "now" ? now : accessTime },
    ...modificationTime === undefined
      ? {}
      : { modificationTimeNs: modificationTime === "now" ? now : modificationTime },
  };
}
