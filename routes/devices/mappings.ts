import { accepts } from "hono/accepts";
import { LIST_ITEMS_DEFAULT } from "../../src/core/limits.ts";
import { type Mapping, showMapping } from "../../src/devices/anonymous/mapping.ts";
import {
  DeviceParam,
  LoadBody,
  MapBody,
  MappingList,
  MappingParam,
  MappingsQuery,
  MappingView,
  MapView,
} from "../../src/wire/devices.ts";
import { json, jsonBody, text } from "../http/openapi.ts";
import { textStream } from "../http/text_stream.ts";
import { endpoint, mappingView } from "./views.ts";

const mapKeys = endpoint({
  method: "post",
  path: "/v1/devices/{id}/mappings",
  operationId: "mapDeviceFiles",
  summary: "Map keys to virtual inodes; a known key keeps its own",
  description:
    "Gives each file a virtual inode of a multi device, so that files of many devices can be " +
    "shown under one. All keys are mapped or none.",
  needs: "write",
  request: { params: DeviceParam, body: jsonBody(MapBody) },
  responses: { 200: json(MapView, "In the order asked") },
  faults: ["device-not-found", "wrong-device-kind", "inodes-exhausted", "mappings-exhausted"],
}).handle(async (c, { registry: { anonymous } }) => {
  const items = await anonymous.map(c.req.valid("param").id, c.req.valid("json").keys);
  return c.json({
    items: items.map(({ mapping, created }) => ({ ...mappingView(mapping), created })),
  }, 200);
});

const LINE = `${
  showMapping({ key: { device: 2049n, secondaryDevice: "", inode: 131_074n }, virtualInode: 1n })
}\n`;

const listMappings = endpoint({
  method: "get",
  path: "/v1/devices/{id}/mappings",
  operationId: "listDeviceMappings",
  summary: "The mappings, ascending by virtual inode",
  description:
    "As JSON in pages, or with `Accept: text/plain` one mapping a line, all of them when no " +
    "limit is given.",
  needs: "read",
  request: { params: DeviceParam, query: MappingsQuery },
  responses: {
    200: {
      description: "A page; as text one line each, and all of one moment unless limited",
      content: { ...json(MappingList, "").content, ...text("text/plain", LINE) },
    },
  },
  faults: ["device-not-found", "wrong-device-kind"],
}).handle((c, { registry: { anonymous } }) => {
  const { id } = c.req.valid("param");
  const { limit, cursor } = c.req.valid("query");
  const type = accepts(c, {
    header: "Accept",
    supports: ["application/json", "text/plain"],
    default: "application/json",
  });
  if (type === "text/plain") {
    const lines = linesOf(anonymous.mappings(id, cursor, limit).items);
    return textStream(lines, { "content-type": "text/plain; charset=utf-8" });
  }
  const { items, next } = anonymous.mappings(id, cursor, limit ?? LIST_ITEMS_DEFAULT);
  return c.json({ items: items.map(mappingView), next: next?.toString() }, 200);
});

const LINES_PER_CHUNK = 1_000;

/** Text in pieces: a device may have millions of mappings. */
function* linesOf(mappings: readonly Mapping[]): Generator<string> {
  for (let at = 0; at < mappings.length; at += LINES_PER_CHUNK) {
    yield mappings.slice(at, at + LINES_PER_CHUNK).map((one) => `${showMapping(one)}\n`).join("");
  }
}

const loadMapping = endpoint({
  method: "put",
  path: "/v1/devices/{id}/mappings/{virtualInode}",
  operationId: "loadDeviceMapping",
  summary: "Load a mapping: set the virtual inode of a key",
  description:
    "Sets which virtual inode a file has, as when a saved device is loaded again. A number that " +
    "another file has is refused.",
  needs: "write",
  request: { params: MappingParam, body: jsonBody(LoadBody) },
  responses: {
    200: json(MappingView, "It was there"),
    201: json(MappingView, "Loaded"),
  },
  faults: ["device-not-found", "wrong-device-kind", "mapping-conflict", "mappings-exhausted"],
}).handle(async (c, { registry: { anonymous } }) => {
  const { id, virtualInode } = c.req.valid("param");
  const mapping = { key: c.req.valid("json").key, virtualInode };
  const created = await anonymous.load(id, mapping);
  return c.json(mappingView(mapping), created ? 201 : 200);
});

const showMappingOf = endpoint({
  method: "get",
  path: "/v1/devices/{id}/mappings/{virtualInode}",
  operationId: "showDeviceMapping",
  summary: "The key behind a virtual inode",
  description: "Finds the file that a virtual inode stands for.",
  needs: "read",
  request: { params: MappingParam },
  responses: { 200: json(MappingView, "Found") },
  faults: ["device-not-found", "wrong-device-kind", "mapping-not-found"],
}).handle((c, { registry: { anonymous } }) => {
  const { id, virtualInode } = c.req.valid("param");
  return c.json(mappingView(anonymous.lookUp(id, virtualInode)), 200);
});

const freeMapping = endpoint({
  method: "delete",
  path: "/v1/devices/{id}/mappings/{virtualInode}",
  operationId: "freeDeviceMapping",
  summary: "Free a mapping; its number is used again only when all others are used up",
  description:
    "The file loses its virtual inode. The number goes to another file only when all others are " +
    "used up.",
  needs: "write",
  request: { params: MappingParam },
  responses: { 204: { description: "Freed" } },
  faults: ["device-not-found", "wrong-device-kind", "mapping-not-found"],
}).handle(async (c, { registry: { anonymous } }) => {
  const { id, virtualInode } = c.req.valid("param");
  await anonymous.free(id, virtualInode);
  return c.body(null, 204);
});

/** `/v1/devices/{id}/mappings`: files of many devices under one. */
export const mappingEndpoints = [mapKeys, listMappings, loadMapping, showMappingOf, freeMapping];
