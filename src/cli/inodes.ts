import type { z } from "@hono/zod-openapi";
import { MIB } from "../core/limits.ts";
import type { InodeView } from "../wire/inodes.ts";
import { command, type GroupSpec } from "./command.ts";
import { EXIT, UsageError } from "./exit.ts";
import { openInput } from "./input.ts";
import { leftoverActions } from "./leftovers.ts";
import { fetchAll, path, tableOf } from "./listing.ts";
import { flag, number } from "./options.ts";

const ID = { help: "the inode, as `innkeeper inodes list` shows it" };
/** Bytes of one request: a long read or write is made in several. */
const REQUEST_BYTES = 8 * MIB;

const list = command({
  name: "list",
  summary: "list the open inodes",
  examples: ["inodes list"],
  async run(_none, { client }) {
    const rows = await fetchAll<z.infer<typeof InodeView>>(client, "/v1/inodes");
    const table = tableOf("INODE  CACHE  SIZE  CACHED  DIRTY  HELD BY  FILE", rows, (row) => {
      const { id, root, path, cache, size, residentBytes, dirtyBytes, holders, failure } = row;
      const dirty = failure === undefined ? dirtyBytes : `${dirtyBytes}(${failure.code})`;
      const file = root === undefined ? path : `${root}/${path}`;
      return [id, cache, size, residentBytes, dirty, holders.join(","), file];
    });
    return { rows, table };
  },
});

const stat = command({
  name: "stat",
  summary: "show an inode with its cache",
  arguments: { id: ID },
  examples: ["inodes stat inode-1"],
  async run({ id }, { client }) {
    const [inode, stats] = await Promise.all([
      client.request<object>("GET", path`/v1/inodes/${id}`),
      client.request<object>("GET", path`/v1/inodes/${id}/stats`),
    ]);
    return { result: { ...inode.body, stats: stats.body } };
  },
});

const read = command({
  name: "read",
  summary: "write an inode's bytes to standard output",
  details: "With --json each line has an offset and bytes in base64. A terminal is shown control " +
    "characters escaped.",
  arguments: { id: ID },
  options: {
    offset: number("n", "the first byte [0]"),
    length: number("n", "how many bytes [to the end]"),
  },
  examples: ["inodes read inode-1 --length 512 | xxd"],
  async run({ id, offset = 0, length = Infinity }, { client, json, outBytes, outJson }) {
    const { body } = await client.request<{ size: string }>("GET", path`/v1/inodes/${id}`);
    const end = Math.min(offset + length, Number(body.size));
    let version: string | null = null;
    for (let at = offset; at < end; at += REQUEST_BYTES) {
      const range = `bytes=${at}-${Math.min(at + REQUEST_BYTES, end) - 1}`;
      // What comes later must be of the version that has begun.
      const same = version === null ? {} : { "if-match": version };
      const { body, headers } = await client.read(path`/v1/inodes/${id}/data`, {
        headers: { range, ...same },
      });
      version ??= headers.get("etag");
      if (json) outJson({ offset: String(at), bytes: body.toBase64() });
      else outBytes(body);
    }
    return { status: EXIT.done };
  },
});

const write = command({
  name: "write",
  summary: "write a file's bytes to an inode",
  arguments: { id: ID, file: { help: "where the bytes come from; - is standard input" } },
  options: {
    offset: number("n", "where the first byte goes [0]"),
    replace: flag("the inode becomes just these bytes"),
    durable: flag("done means on stable storage"),
  },
  examples: ["inodes write inode-1 --offset 4096 page.bin", "inodes write inode-1 --replace -"],
  async run({ id, file, offset = 0, replace, durable }, { client }) {
    if (replace && offset > 0) throw new UsageError("--replace goes without --offset");
    const source = await openInput(file);
    let at = offset;
    for await (const bytes of inRequests(source)) {
      const range = path`/v1/inodes/${id}/ranges/${`${at}-${at + bytes.byteLength - 1}`}`;
      await client.request("PUT", durable ? `${range}?durable=true` : range, { bytes });
      at += bytes.byteLength;
    }
    // Last, so that a source that cannot be read leaves the old bytes.
    if (replace) await client.request("PATCH", path`/v1/inodes/${id}`, { json: { size: at } });
  },
});

/** The bytes of a stream in pieces of one request each. */
async function* inRequests(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = source.getReader({ mode: "byob" });
  for (;;) {
    const piece = new Uint8Array(REQUEST_BYTES);
    const { value, done } = await reader.read(piece, { min: REQUEST_BYTES });
    if (value !== undefined && value.byteLength > 0) yield value;
    if (done) return;
  }
}

const sync = command({
  name: "sync",
  summary: "bring an inode to stable storage",
  arguments: { id: ID },
  examples: ["inodes sync inode-1"],
  async run({ id }, { client }) {
    await client.request("POST", path`/v1/inodes/${id}/sync`);
  },
});

const evict = command({
  name: "evict",
  summary: "take an inode's clean pages out of the cache",
  arguments: { id: ID },
  options: {
    offset: number("n", "only from here, with --length"),
    length: number("n", "only so many bytes, with --offset"),
  },
  examples: ["inodes evict inode-1"],
  async run({ id, offset, length }, { client }) {
    if ((offset === undefined) !== (length === undefined)) {
      throw new UsageError("--offset and --length go together");
    }
    const json = offset === undefined ? {} : { ranges: [{ offset, length }] };
    return { result: (await client.request("POST", path`/v1/inodes/${id}/evict`, { json })).body };
  },
});

/** `innkeeper inodes`: open inodes and their bytes. */
export const inodes: GroupSpec = {
  name: "inodes",
  summary: "open inodes and their bytes",
  actions: [list, stat, read, write, sync, evict, ...leftoverActions],
};
