import type { z } from "@hono/zod-openapi";
import { MIB } from "../core/limits.ts";
import { minOf } from "../core/segments.ts";
import type { LeftoverView } from "../wire/leftovers.ts";
import { command } from "./command.ts";
import type { Connection } from "./connect.ts";
import { EXIT } from "./exit.ts";
import { fetchAll, path, tableOf } from "./listing.ts";
import { flag } from "./options.ts";

const ID = { help: "the inode that they were written to, as `innkeeper inodes kept` shows it" };
/** Bytes of one request: a long range is read in several. */
const REQUEST_BYTES = BigInt(8 * MIB);

type Leftover = z.infer<typeof LeftoverView>;

const listLeft = command({
  name: "kept",
  summary: "list bytes that an earlier daemon left and no start could write back",
  examples: ["inodes kept"],
  async run(_none, { client }) {
    const rows = await fetchAll<Omit<Leftover, "ranges" | "next">>(client, "/v1/kept");
    const table = tableOf(
      "INODE  UNSAVED  FILE  WHY",
      rows,
      ({ id, root, path, dirtyBytes, reason }) => [id, dirtyBytes, `${root}/${path}`, reason],
    );
    return { rows, table };
  },
});

const retry = command({
  name: "retry",
  summary: "write such bytes to their file now",
  arguments: { id: ID },
  options: { force: flag("also over what somebody else has written there since") },
  examples: ["inodes retry 5f0c9a3b"],
  async run({ id, force }, { client }) {
    const { body } = await client.request<{ outcome: string }>(
      "POST",
      path`/v1/kept/${id}/retry`,
      { json: { force } },
    );
    return { result: body, status: body.outcome === "restored" ? EXIT.done : EXIT.failed };
  },
});

const exportBytes = command({
  name: "export",
  summary: "write such bytes into another file, each at its offset",
  arguments: { id: ID, file: { help: "where they go; holes are left between them" } },
  examples: ["inodes export 5f0c9a3b saved.img"],
  async run({ id, file }, { client }) {
    const ranges = await rangesOf(client, id);
    using out = await Deno.open(file, { write: true, createNew: true });
    for (const { offset, length } of ranges) {
      const end = BigInt(offset) + BigInt(length);
      for (let at = BigInt(offset); at < end; at += REQUEST_BYTES) {
        const last = minOf(at + REQUEST_BYTES, end) - 1n;
        const { body } = await client.read(path`/v1/kept/${id}/ranges/${`${at}-${last}`}`);
        await out.seek(at, Deno.SeekMode.Start);
        for (let done = 0; done < body.byteLength;) done += await out.write(body.subarray(done));
      }
    }
  },
});

const discard = command({
  name: "discard",
  summary: "drop such bytes for good",
  arguments: { id: ID },
  examples: ["inodes discard 5f0c9a3b"],
  async run({ id }, { client }) {
    await client.request("DELETE", path`/v1/kept/${id}`);
  },
});

/** What is done with bytes that no start could write back. */
export const leftoverActions = [listLeft, retry, exportBytes, discard];

async function rangesOf(client: Connection["client"], id: string): Promise<Leftover["ranges"]> {
  const ranges: Leftover["ranges"] = [];
  for (let cursor = "";;) {
    const { body } = await client.request<Leftover>("GET", path`/v1/kept/${id}` + cursor);
    ranges.push(...body.ranges);
    if (body.next === undefined) return ranges;
    cursor = `?cursor=${body.next}`;
  }
}
