import type { z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/core/time.ts";
import type { CachingInode } from "../../src/inodes/store/caching_inode.ts";
import type { InodeView } from "../../src/wire/inodes.ts";

/** The entity tag of an inode as a header, when it has one. */
export function etagOf({ etag }: CachingInode): Record<string, string> {
  return etag === undefined ? {} : { etag };
}

/** An inode as the API shows it. */
export function inodeView(inode: CachingInode): z.input<typeof InodeView> {
  const attributes = inode.attributes();
  const { residentBytes, dirtyBytes } = inode.stats();
  const { failure } = inode;
  return {
    ...inode.identity,
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
    dirty: [...attributes.dirty],
    residentBytes: String(residentBytes),
    dirtyBytes: String(dirtyBytes),
    holders: [...inode.holders],
    ...(failure === undefined ? {} : { failure: { code: failure.code, detail: failure.message } }),
  };
}

/** A range of bytes as the API shows it. */
export function rangeView(range: { readonly start: bigint; readonly end: bigint }): {
  offset: string;
  length: string;
} {
  return { offset: String(range.start), length: String(range.end - range.start) };
}

/** The entity tags that `If-Match` or `If-None-Match` names. */
export function entityTags(header: string | undefined): readonly string[] | undefined {
  return header?.match(/(?:W\/)?"[^"]*"|\*/g) ?? (header === undefined ? undefined : []);
}
