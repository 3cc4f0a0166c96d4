import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import { deviceOf, type HostDeviceRecord } from "../../src/devices/host/host_records.ts";
import { imageText } from "../../src/devices/image.ts";
import type { DeviceRegistry, RegistryState } from "../../src/devices/registry.ts";
import { DeviceImageBody, DeviceImageView, RestoreQuery } from "../../src/wire/device_image.ts";
import type { Env } from "../http/env.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

const tags = ["devices"];
const path = "/v1/devices/image";

/** The path of the image, whose body may be larger than others. */
export const DEVICE_IMAGE_PATH = path;

/** `/v1/devices/image`: the whole registry, out and in. */
export function deviceImageRoutes(registry: DeviceRegistry): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "get",
      path,
      tags,
      summary: "The whole registry, all of one moment",
      middleware: needs("read"),
      responses: {
        200: json(DeviceImageView, "The image; its version is the ETag"),
        ...problems(),
      },
    }),
    () => {
      const { etag, state } = registry.save();
      return imageResponse(state, etag);
    },
  );
  routes.openapi(
    createRoute({
      method: "put",
      path,
      tags,
      summary: "Put an image in place of the registry, all or nothing",
      // It replaces what everybody holds, and may be large.
      middleware: needs("admin"),
      request: {
        query: RestoreQuery,
        headers: z.object({ "if-match": z.string().max(1024).optional() }),
        body: jsonBody(DeviceImageBody),
      },
      responses: {
        204: { description: "Restored; the ETag is the registry's new version" },
        ...problems(
          "image-version",
          "image-contradicts",
          "image-stale",
          "device-set-differs",
          "registry-not-empty",
          "mappings-exhausted",
          "devices-exhausted",
        ),
      },
    }),
    async (c) => {
      const { anonymous, host } = c.req.valid("json");
      const state = { anonymous, host: (host as HostDeviceRecord[]).map(deviceOf) };
      const ifMatch = etagsOf(c.req.valid("header")["if-match"]);
      const etag = await registry.restore(state, c.req.valid("query").mode, ifMatch);
      return c.body(null, 204, { etag });
    },
  );
  return routes;
}

/** @returns `undefined` when any version will do */
function etagsOf(ifMatch: string | undefined): readonly string[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === "*") return undefined;
  return ifMatch.split(",").map((etag) => etag.trim());
}

/** The text is made while it is read. */
function imageResponse(
  state: RegistryState,
  etag: string,
): Response & TypedResponse<z.input<typeof DeviceImageView>, 200, "json"> {
  const encoder = new TextEncoder();
  const pieces = imageText(state);
  const body = new ReadableStream<Uint8Array>({
    pull(controller): void {
      const { value, done } = pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
  // The type parameters of a typed answer exist for the checker only.
  return new Response(body, { headers: { "content-type": "application/json", etag } }) as
    & Response
    & TypedResponse<z.input<typeof DeviceImageView>, 200, "json">;
}
