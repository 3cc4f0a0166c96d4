import { DEVICE_IMAGE_BYTES_MAX } from "../../src/core/limits.ts";
import { deviceOf } from "../../src/devices/host/host_records.ts";
import { imageText } from "../../src/devices/image.ts";
import { DeviceImageBody, DeviceImageView, RestoreQuery } from "../../src/wire/device_image.ts";
import { matchingTags } from "../../src/wire/http/conditions.ts";
import { empty, json, jsonBody } from "../http/openapi.ts";
import { textStream } from "../http/text_stream.ts";
import { endpoint } from "./views.ts";

const saveImage = endpoint({
  method: "get",
  path: "/v1/devices/image",
  operationId: "saveDeviceImage",
  summary: "The whole registry, all of one moment",
  description:
    "Saves every device with its numbers, mappings and holders, to be put back with `PUT` on " +
    "this or another host.",
  needs: "read",
  faults: [],
  responses: { 200: json(DeviceImageView, "The image; its version is the ETag", "ETag") },
}).handle((_c, { registry }) => {
  const { etag, state } = registry.save();
  return textStream(imageText(state), { "content-type": "application/json", etag });
});

const restoreImage = endpoint({
  method: "put",
  path: "/v1/devices/image",
  operationId: "restoreDeviceImage",
  summary: "Put an image in place of the registry, all or nothing",
  description:
    "Restores all of the image or nothing. With `If-Match` only when the registry is still the " +
    "version that the caller knows.",
  // Not only `write`: it replaces the devices of everybody.
  needs: "admin",
  request: {
    query: RestoreQuery,
    body: jsonBody(DeviceImageBody),
  },
  headers: ["If-Match"],
  bodyBytesMax: DEVICE_IMAGE_BYTES_MAX,
  responses: { 204: empty("Restored; the ETag is the registry's new version", "ETag") },
  faults: [
    "image-version",
    "image-contradicts",
    "image-stale",
    "device-set-differs",
    "registry-not-empty",
    "mappings-exhausted",
    "devices-exhausted",
  ],
}).handle(async (c, { registry }) => {
  const { anonymous, host } = c.req.valid("json");
  const ifMatch = matchingTags(c.req.header("if-match"));
  const { mode } = c.req.valid("query");
  const etag = await registry.restore({ anonymous, host: host.map(deviceOf) }, mode, ifMatch);
  return c.body(null, 204, { etag });
});

/** `/v1/devices/image`: the whole registry, out and in. */
export const imageEndpoints = [saveImage, restoreImage];
