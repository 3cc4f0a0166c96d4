import { targetOf } from "../../src/inodes/content/inode_facts.ts";
import type { z } from "@hono/zod-openapi";
import type { Mapping } from "../../src/inodes/mapping/mapping_set.ts";
import {
  MappedView,
  MappingBody,
  MappingListView,
  MappingQuery,
  type MappingView,
  TranslateBody,
  TranslatedView,
  UnmappedView,
} from "../../src/wire/inode_mappings.ts";
import { RangeBody } from "../../src/wire/inode_ranges.ts";
import { InodeParam, InodesQuery } from "../../src/wire/inodes.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { endpoint, onInode, permittedInode, rangeOf, rangeView } from "./views.ts";

const addMapping = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/mappings",
  operationId: "addInodeMapping",
  summary: "Say that an address space maps a range: its pages stay in the cache",
  description:
    "For a mapper outside the daemon, such as a pager: pages of the range stay in the cache as " +
    "long as they are mapped.",
  needs: onInode("write"),

  request: { params: InodeParam, body: jsonBody(MappingBody) },
  responses: { 201: json(MappedView, "It is known") },
  faults: ["inode-not-found", "inode-read-only", "mapping-not-found", "mappings-exhausted"],
}).handle((c, store) => {
  const inode = permittedInode(c, store, "write");
  const body = c.req.valid("json");
  const fresh = "copyOf" in body
    ? inode.mappings.copy(mappingOf(body.copyOf), body.address)
    : inode.mappings.add(mappingOf(body));
  return c.json({ newlyMapped: fresh.map(rangeView) }, 201);
});

const removeMapping = endpoint({
  method: "delete",
  path: "/v1/inodes/{i}/mappings",
  operationId: "removeInodeMapping",
  summary: "End a mapping, or a part of one",
  description:
    "The query names the mapping as it was added, or a part of it. The answer says what nobody " +
    "maps any more.",
  needs: onInode("write"),

  request: { params: InodeParam, query: MappingQuery },
  responses: { 200: json(UnmappedView, "It is ended") },
  faults: ["inode-not-found", "mapping-not-found"],
}).handle((c, store) => {
  const inode = permittedInode(c, store, "write");
  const gone = inode.mappings.remove(mappingOf(c.req.valid("query")));
  return c.json({ noLongerMapped: gone.map(rangeView) }, 200);
});

const listMappings = endpoint({
  method: "get",
  path: "/v1/inodes/{i}/mappings",
  operationId: "listInodeMappings",
  summary: "List mappings",
  description: "Lists mappings by offset, in pages.",
  needs: onInode("read"),

  request: { params: InodeParam, query: InodesQuery },
  responses: { 200: json(MappingListView, "A page of mappings, by offset") },
  faults: ["inode-not-found"],
}).handle((c, store) => {
  const mappings = [...permittedInode(c, store, "read").mappings.list()]
    .sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
  return c.json(pageOf(mappings, keyOf, mappingView, c.req.valid("query"), c.get("seq")), 200);
});

const translateRange = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/translate",
  operationId: "translateInodeRange",
  summary: "Say which file has mapped bytes, and where",
  description:
    "Brings the bytes into the cache and says which file on this host has them, so that the " +
    "mapper can map them itself.",
  needs: onInode("write"),
  also: [{ ...onInode("read"), when: "always: the pages that it names can be read" }],

  request: { params: InodeParam, body: jsonBody(TranslateBody) },
  responses: { 200: json(TranslatedView, "Where the bytes are; the holder keeps them there") },
  faults: ["inode-not-found", "holder-not-found", "not-mapped", "cache-full", "backing-changed"],
}).handle(async (c, store) => {
  const inode = permittedInode(c, store, "write");
  // Whoever is told where the pages are can read them there.
  c.get("principal").require("read", targetOf(inode.identity));
  const { required, optional = required, access, holder } = c.req.valid("json");
  const request = {
    required: rangeOf(required),
    optional: rangeOf(optional),
    isWrite: access === "write",
  };
  const { translations, busError } = await inode.mappings.translate(request, holder);
  return c.json({
    translations: translations.map(({ source, file, identity, offset, permissions }) => ({
      source: rangeView(source),
      file,
      identity: {
        deviceMajor: Number(identity.device >> 32n),
        deviceMinor: Number(BigInt.asUintN(32, identity.device)),
        inode: String(identity.inode),
      },
      offset: String(offset),
      permissions: permissions.write ? "read-write" as const : "read" as const,
    })),
    busError: busError && {
      offset: String(busError.offset),
      code: busError.fault?.code ?? "end-of-file",
      detail: busError.fault?.message ?? "The content ends here",
    },
  }, 200);
});

const addReference = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/references",
  operationId: "addInodeReference",
  summary: "Keep pages in the cache",
  description:
    "References are counted: the range stays in the cache until as many have been removed.",
  needs: onInode("write"),

  request: { params: InodeParam, body: jsonBody(RangeBody) },
  responses: { 204: { description: "They stay" } },
  faults: ["inode-not-found"],
}).handle((c, store) => {
  permittedInode(c, store, "write").mappings.addReference(rangeOf(c.req.valid("json")));
  return c.body(null, 204);
});

const removeReference = endpoint({
  method: "delete",
  path: "/v1/inodes/{i}/references",
  operationId: "removeInodeReference",
  summary: "Let pages go that were kept in the cache",
  description: "Takes back one reference of exactly this range.",
  needs: onInode("write"),

  request: { params: InodeParam, query: RangeBody },
  responses: { 204: { description: "One reference less" } },
  faults: ["inode-not-found", "reference-not-found"],
}).handle((c, store) => {
  permittedInode(c, store, "write").mappings.removeReference(rangeOf(c.req.valid("query")));
  return c.body(null, 204);
});

/** A mapping as requests name it, as the domain's. */
function mappingOf(
  { space, address, writable, ...range }: z.output<typeof MappingQuery>,
): Mapping {
  return { space, address, range: rangeOf(range), isWritable: writable };
}

/** Sorts mappings by offset, whose decimal form has up to twenty digits. */
function keyOf({ space, address, range, isWritable }: Mapping): string {
  return [String(range.start).padStart(20, "0"), space, address, isWritable ? "w" : "r"].join(" ");
}

function mappingView(
  { space, address, range, isWritable }: Mapping,
): z.input<typeof MappingView> {
  return { ...rangeView(range), space, address: String(address), writable: isWritable };
}

/** Who has mapped an inode, and where its bytes are for them. */
export const mappingEndpoints = [
  ...[addMapping, removeMapping, listMappings],
  ...[translateRange, addReference, removeReference],
];
