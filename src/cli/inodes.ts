import type { z } from "@hono/zod-openapi";
import { MIB } from "../core/limits.ts";
import type { InodeView } from "../wire/inodes.ts";
import { command, commandGroup } from "./command.ts";
import { UsageError } from "./exit.ts";
import { openInput } from "./input.ts";
import { fetchAll, path, printRows } from "./listing.ts";
import { write as writeAll } from "./output.ts";

const WRITE_USAGE = "innkeeper inodes write ID [--offset N | --replace] [--durable] FILE\n" +
  "                                                           - reads standard input";
const EVICT_USAGE = "innkeeper inodes evict ID [--offset N --length N]";
const RANGE = { offset: "number", length: "number" } as const;
/** Bytes of one request: a long read or write is made in several. */
const REQUEST_BYTES = 8 * MIB;

const list = command(
  "innkeeper inodes list [--json]",
  { flags: { json: "switch" } },
  async ({ json }, { client, out }) => {
    printRows(out, await fetchAll<z.infer<typeof InodeView>>(client, "/v1/inodes"), {
      json,
      head: "INODE  CACHE  SIZE  CACHED  DIRTY  HELD BY  FILE",
      cells: ({ id, root, path, cache, size, residentBytes, dirtyBytes, holders, failure }) => {
        const dirty = failure === undefined ? dirtyBytes : `${dirtyBytes}(${failure.code})`;
        const file = root === undefined ? path : `${root}/${path}`;
        return [id, cache, size, residentBytes, dirty, holders.join(","), file];
      },
    });
  },
);

const stat = command(
  "innkeeper inodes stat ID",
  { names: ["id"] },
  async ({ id }, { client }) => {
    const [inode, stats] = await Promise.all([
      client.request<object>("GET", path`/v1/inodes/${id}`),
      client.request<object>("GET", path`/v1/inodes/${id}/stats`),
    ]);
    return { ...inode.body, stats: stats.body };
  },
);

const read = command(
  "innkeeper inodes read ID [--offset N] [--length N]     to standard output",
  { names: ["id"], flags: RANGE },
  async ({ id, offset = 0, length = Infinity }, { client }) => {
    const { body } = await client.request<{ size: string }>("GET", path`/v1/inodes/${id}`);
    const end = Math.min(offset + length, Number(body.size));
    for (let at = offset; at < end; at += REQUEST_BYTES) {
      const range = `bytes=${at}-${Math.min(at + REQUEST_BYTES, end) - 1}`;
      const data = await client.read(path`/v1/inodes/${id}/data`, { headers: { range } });
      writeAll(Deno.stdout, data.body);
    }
  },
);

const write = command(
  WRITE_USAGE,
  { names: ["id", "file"], flags: { offset: "number", replace: "switch", durable: "switch" } },
  async ({ id, file, offset = 0, replace, durable }, { client }) => {
    if (replace && offset > 0) {
      throw new UsageError(`--replace goes without --offset\nusage: ${WRITE_USAGE}`);
    }
    const source = await openInput(file);
    if (replace) await client.request("PATCH", path`/v1/inodes/${id}`, { json: { size: 0 } });
    let at = offset;
    for await (const bytes of inRequests(source)) {
      const range = path`/v1/inodes/${id}/ranges/${`${at}-${at + bytes.byteLength - 1}`}`;
      await client.request("PUT", durable ? `${range}?durable=true` : range, { bytes });
      at += bytes.byteLength;
    }
  },
);

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

const sync = command("innkeeper inodes sync ID", { names: ["id"] }, async ({ id }, { client }) => {
  await client.request("POST", path`/v1/inodes/${id}/sync`);
});

const evict = command(
  EVICT_USAGE,
  { names: ["id"], flags: RANGE },
  async ({ id, offset, length }, { client }) => {
    if ((offset === undefined) !== (length === undefined)) {
      throw new UsageError(`--offset and --length go together\nusage: ${EVICT_USAGE}`);
    }
    const json = offset === undefined ? {} : { ranges: [{ offset, length }] };
    return (await client.request("POST", path`/v1/inodes/${id}/evict`, { json })).body;
  },
);

/** `innkeeper inodes`: open inodes and their bytes. */
export const inodes = commandGroup("inodes", { list, stat, read, write, sync, evict });
