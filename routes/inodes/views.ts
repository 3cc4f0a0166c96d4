import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { FaultCode } from "../../src/core/faults.ts";
import type { Permission } from "../../src/core/rights.ts";
import type { Range } from "../../src/core/segments.ts";
import { targetOf } from "../../src/inodes/content/inode_facts.ts";
import { inodeNotFound } from "../../src/inodes/content/inode_gate.ts";
import { rfc3339 } from "../../src/wire/time.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import type { InodeView } from "../../src/wire/inodes.ts";
import { endpointsOf } from "../http/endpoint.ts";
import type { Env } from "../http/env.ts";
import type { Need } from "../http/rights.ts";

/** Declares an endpoint of inodes. */
export const endpoint = endpointsOf<InodeStore>("inodes");

/** The right to do this to what an inode is of: its root, or its remote. */
export function onInode(permission: Permission): Need {
  return {
    permission,
    on: [{ kind: "roots", in: "what it is of" }, { kind: "remotes", in: "what it is of" }],
  };
}

/**
 * The inode of the path, for who has this permission on its root or remote. For others there is none.
 *
 * @throws {Fault} `inode-not-found`
 */
export function permittedInode(
  c: Context<Env>,
  store: InodeStore,
  permission: Permission,
): CachingInode {
  const id = c.req.param("i") ?? "";
  const inode = store.find(id);
  if (inode !== undefined && c.get("principal").may(permission, targetOf(inode.identity))) {
    return inode;
  }
  throw inodeNotFound(id);
}

const VIEW_TAG_BYTES = 12;

/** Faults of every change of a file. */
export const CHANGE_FAULTS = [
  "inode-not-found",
  "inode-read-only",
  "inode-stale",
  "backing-changed",
  "backing-failed",
  "backing-full",
  "file-not-permitted",
  "root-read-only",
] as const satisfies readonly FaultCode[];

/** The entity tag of a content as a header, when it has one. */
export function etagHeader(etag: string | undefined): Record<string, string> {
  return etag === undefined ? {} : { etag };
}

/** An inode as the API shows it, with the entity tag of this very view as a header. */
export async function taggedView(
  inode: CachingInode,
): Promise<[view: z.input<typeof InodeView>, headers: Record<string, string>]> {
  const view = inodeView(inode);
  const bytes = new TextEncoder().encode(JSON.stringify(view));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  // Not the tag of the content: the view changes with its holders and its cache too.
  return [view, { etag: `"view-${digest.slice(0, VIEW_TAG_BYTES).toHex()}"` }];
}

/** Faults of whatever reads a remote file. */
export const REMOTE_FAULTS = [
  "remote-redirects",
  "remote-without-ranges",
  "remote-coded",
  "remote-refuses",
  "remote-untrusted",
  "remote-unreachable",
  "remote-timed-out",
  "remote-failed",
] as const satisfies readonly FaultCode[];

/** An inode as the API shows it. */
export function inodeView(inode: CachingInode): z.input<typeof InodeView> {
  const attributes = inode.attributes();
  const { residentBytes, dirtyBytes } = inode.stats();
  const { failure } = inode;
  return {
    ...inode.identity,
    etag: inode.etag,
    device: String(attributes.device),
    inode: String(attributes.inode),
    size: String(attributes.sizeBytes),
    usage: String(attributes.usageBytes),
    permissions: attributes.permissions,
    uid: attributes.uid,
    gid: attributes.gid,
    accessTime: rfc3339(attributes.accessTimeNs),
    modificationTime: rfc3339(attributes.modificationTimeNs),
    statusChangeTime: rfc3339(attributes.statusChangeTimeNs),
    links: attributes.links,
    dirty: attributes.dirty,
    residentBytes: String(residentBytes),
    dirtyBytes: String(dirtyBytes),
    holders: [...inode.holders],
    failure: failure && { code: failure.code, detail: failure.message },
  };
}

/** A range of bytes as the API shows it. */
export function rangeView({ start, end }: Range): { offset: string; length: string } {
  return { offset: String(start), length: String(end - start) };
}

/** A range of bytes as a request names it. */
export function rangeOf(
  { offset, length }: { readonly offset: bigint; readonly length: bigint },
): Range {
  return { start: offset, end: offset + length };
}
