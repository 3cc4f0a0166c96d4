import { MIB } from "../core/limits.ts";
import type { Command, CommandContext } from "./command.ts";
import { EXIT, UsageError } from "./exit.ts";
import { readArgs, wholeNumber } from "./args.ts";

const USAGE = {
  list: "innkeeper inodes list [--json]",
  stat: "innkeeper inodes stat ID",
  read: "innkeeper inodes read ID [--offset N] [--length N]     to standard output",
  write: "innkeeper inodes write ID [--offset N | --replace] [--durable] FILE\n" +
    "                                                           - reads standard input",
  sync: "innkeeper inodes sync ID",
  evict: "innkeeper inodes evict ID [--offset N --length N]",
} as const;

const ACTIONS: Readonly<Record<keyof typeof USAGE, Command>> = {
  list,
  stat,
  read,
  write,
  sync,
  evict,
};

/** Bytes of one request: a long read or write is made in several. */
const REQUEST_BYTES = 8 * MIB;

/** `innkeeper inodes`: open inodes and their bytes. */
export const inodes: Command = async ([action = "", ...args], context) => {
  if (!Object.hasOwn(ACTIONS, action)) {
    const lines = Object.values(USAGE).map((line) => `       ${line}`).join("\n");
    throw new UsageError(`Cannot run "inodes ${action}"\nusage:\n${lines}`);
  }
  return await ACTIONS[action as keyof typeof ACTIONS](args, context);
};

interface InodeRow {
  readonly id: string;
  readonly root?: string;
  readonly path: string;
  readonly cache: string;
  readonly size: string;
  readonly residentBytes: string;
  readonly dirtyBytes: string;
  readonly holders: readonly string[];
  readonly failure?: { readonly code: string };
}

async function list(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const { flags } = readArgs(args, { json: { type: "boolean" } }, 0, USAGE.list);
  const rows: InodeRow[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { body }: { body: { items: InodeRow[]; next?: string } } = await client.ask(
      "GET",
      `/v1/inodes?limit=1000${query}`,
    );
    rows.push(...body.items);
    cursor = body.next;
  }
  if (flags["json"] === true) {
    for (const row of rows) out(JSON.stringify(row));
    return EXIT.clean;
  }
  out("INODE  CACHE  SIZE  CACHED  DIRTY  HELD BY  FILE");
  for (const { id, root, path, cache, size, residentBytes, dirtyBytes, holders, failure } of rows) {
    const dirt = failure === undefined ? dirtyBytes : `${dirtyBytes}(${failure.code})`;
    const file = root === undefined ? path : `${root}/${path}`;
    out([id, cache, size, residentBytes, dirt, holders.join(","), file].join("  "));
  }
  return EXIT.clean;
}

async function stat(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const { names: [id = ""] } = readArgs(args, {}, 1, USAGE.stat);
  const [inode, stats] = await Promise.all([
    client.ask<object>("GET", pathOf(id)),
    client.ask<object>("GET", `${pathOf(id)}/stats`),
  ]);
  out(JSON.stringify({ ...inode.body, stats: stats.body }));
  return EXIT.clean;
}

async function read(args: readonly string[], { client }: CommandContext): Promise<number> {
  const words = readArgs(args, RANGE, 1, USAGE.read);
  const { names: [id = ""] } = words;
  const start = wholeNumber(words, "offset") ?? 0;
  const asked = wholeNumber(words, "length");
  const { body: { size } } = await client.ask<{ size: string }>("GET", pathOf(id));
  const length = asked ?? Number(size);
  const end = Math.min(start + length, Number(size));
  for (let at = start; at < end; at += REQUEST_BYTES) {
    const range = `bytes=${at}-${Math.min(at + REQUEST_BYTES, end) - 1}`;
    const { body } = await client.read(`${pathOf(id)}/data`, { headers: { range } });
    for (let done = 0; done < body.byteLength;) {
      done += await Deno.stdout.write(body.subarray(done));
    }
  }
  return EXIT.clean;
}

async function write(args: readonly string[], { client }: CommandContext): Promise<number> {
  const flags = {
    offset: { type: "string" },
    replace: { type: "boolean" },
    durable: { type: "boolean" },
  } as const;
  const words = readArgs(args, flags, 2, USAGE.write);
  const { names: [id = "", file = "-"] } = words;
  const query = words.flags["durable"] === true ? "?durable=true" : "";
  const isReplace = words.flags["replace"] === true;
  let at = wholeNumber(words, "offset") ?? 0;
  if (isReplace && at > 0) throw new UsageError(`--replace goes without --offset\n${USAGE.write}`);
  if (isReplace) await client.ask("PATCH", pathOf(id), { json: { size: 0 } });
  const source = file === "-" ? Deno.stdin.readable : (await Deno.open(file)).readable;
  for await (const bytes of inRequests(source)) {
    const range = `${at}-${at + bytes.byteLength - 1}`;
    await client.ask("PUT", `${pathOf(id)}/ranges/${range}${query}`, { bytes });
    at += bytes.byteLength;
  }
  return EXIT.clean;
}

async function sync(args: readonly string[], { client }: CommandContext): Promise<number> {
  const { names: [id = ""] } = readArgs(args, {}, 1, USAGE.sync);
  await client.ask("POST", `${pathOf(id)}/sync`);
  return EXIT.clean;
}

async function evict(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const words = readArgs(args, RANGE, 1, USAGE.evict);
  const { names: [id = ""] } = words;
  const offset = wholeNumber(words, "offset");
  const length = wholeNumber(words, "length");
  if ((offset === undefined) !== (length === undefined)) {
    throw new UsageError(`--offset and --length go together\nusage: ${USAGE.evict}`);
  }
  const json = offset === undefined ? {} : { ranges: [{ offset, length }] };
  const { body } = await client.ask("POST", `${pathOf(id)}/evict`, { json });
  out(JSON.stringify(body));
  return EXIT.clean;
}

const RANGE = { offset: { type: "string" }, length: { type: "string" } } as const;

function pathOf(id: string): string {
  return `/v1/inodes/${encodeURIComponent(id)}`;
}

/** The bytes of a stream in pieces of one request each. */
async function* inRequests(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let piece = new Uint8Array(REQUEST_BYTES);
  let filled = 0;
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.byteLength;) {
      const part = chunk.subarray(taken, taken + REQUEST_BYTES - filled);
      piece.set(part, filled);
      filled += part.byteLength;
      taken += part.byteLength;
      if (filled < REQUEST_BYTES) continue;
      yield piece;
      piece = new Uint8Array(REQUEST_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
