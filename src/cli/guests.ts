import { MIB, PAGE_BYTES } from "../core/limits.ts";
import { UsageError } from "./exit.ts";
import type { Command, CommandContext } from "./command.ts";
import { consoleCommand } from "./guest_console.ts";
import { environment } from "./environment.ts";
import { readArgs, wholeNumber, type Words } from "./args.ts";

const USAGE = `innkeeper guests list
       innkeeper guests create --image FILE|--inode ID [--at ADDRESS] [--start ADDRESS]
                               [--memory MIB] [--name NAME] [--scope SCOPE] [--lease MS]
       innkeeper guests boot --kernel ID [--initrd ID] [--memory MIB] [--command-line TEXT]
                             [--disk ID[:ro]]... [--share ROOT] [--name NAME] [--scope SCOPE]
                             [--lease MS]
       innkeeper guests console NAME [--since OFFSET]
       innkeeper guests clone SNAPSHOT [--name NAME] [--scope SCOPE] [--lease MS]
       innkeeper guests run NAME [--budget MS]
       innkeeper guests state NAME ready|running|paused
       innkeeper guests interrupt NAME LINE
       innkeeper guests registers NAME [--set REGISTER=VALUE]...
       innkeeper guests memory NAME FIRST-LAST [--write HEX]
       innkeeper guests snapshot NAME
       innkeeper guests delete NAME
create, boot and clone print the owner's token; the others take it as --owner TOKEN or INNKEEPER_OWNER`;

const OWNER = { owner: { type: "string" } } as const;
const MAKE = {
  name: { type: "string" },
  scope: { type: "string" },
  lease: { type: "string" },
} as const;
const BARE = {
  ...MAKE,
  image: { type: "string" },
  inode: { type: "string" },
  at: { type: "string" },
  start: { type: "string" },
  memory: { type: "string" },
} as const;

const LINUX = {
  ...MAKE,
  kernel: { type: "string" },
  initrd: { type: "string" },
  memory: { type: "string" },
  "command-line": { type: "string" },
  disk: { type: "string", multiple: true },
  share: { type: "string" },
} as const;

const LINUX_MIB_DEFAULT = 128;
const IMAGE_AT_DEFAULT = 0x1000;
const MEMORY_MIB_DEFAULT = 1;
const DUMP_ROW_BYTES = 16;

/** `innkeeper guests`: makes guests and works on them. Answers are printed as JSON. */
export const guests: Command = async ([action = "list", ...args], context) => {
  const command = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (command === undefined) {
    throw new UsageError(`Cannot do "${action}" to guests\nusage: ${USAGE}`);
  }
  return await command(args, context);
};

const ACTIONS: Readonly<Record<string, Command>> = {
  list,
  create,
  boot,
  console: (args, context) => consoleCommand(args, context, USAGE),
  clone,
  run,
  state,
  interrupt,
  registers,
  memory,
  snapshot,
  delete: remove,
};

async function list(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  readArgs(args, {}, 0, USAGE);
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await client.ask<{ items: unknown[]; next?: string }>(
      "GET",
      `/v1/guests?limit=1000${query}`,
    );
    for (const guest of body.items) out(JSON.stringify(guest));
    cursor = body.next;
  }
  return 0;
}

async function create(args: readonly string[], context: CommandContext): Promise<number> {
  const words = readArgs(args, BARE, 0, USAGE);
  const { image, inode } = words.flags;
  if ((image === undefined) === (inode === undefined)) {
    throw new UsageError(`Give either --image or --inode\nusage: ${USAGE}`);
  }
  const at = address(words, "at") ?? IMAGE_AT_DEFAULT;
  const content = typeof image === "string" ? { bytes: await imageOf(image) } : { inode };
  const bare = {
    pfnLimit: (wholeNumber(words, "memory") ?? MEMORY_MIB_DEFAULT) * MIB / PAGE_BYTES,
    start: address(words, "start") ?? at,
    load: [{ at, ...content }],
  };
  return await make(words, { bare }, context);
}

async function boot(args: readonly string[], context: CommandContext): Promise<number> {
  const words = readArgs(args, LINUX, 0, USAGE);
  const { kernel, initrd, share } = words.flags;
  if (kernel === undefined) throw new UsageError(`Give --kernel\nusage: ${USAGE}`);
  const disks = (words.flags["disk"] ?? []) as unknown as readonly string[];
  const linux = {
    memoryMiB: wholeNumber(words, "memory") ?? LINUX_MIB_DEFAULT,
    kernel,
    initrd,
    commandLine: words.flags["command-line"],
    disks: disks.map((disk) => ({
      inode: disk.replace(/:ro$/, ""),
      readOnly: disk.endsWith(":ro"),
    })),
    ...(share === undefined ? {} : { share: { root: share } }),
  };
  return await make(words, { linux }, context);
}

async function clone(args: readonly string[], context: CommandContext): Promise<number> {
  const words = readArgs(args, MAKE, 1, USAGE);
  return await make(words, { snapshot: words.names[0] }, context);
}

async function make(
  words: Words,
  from: Record<string, unknown>,
  { client, out }: CommandContext,
): Promise<number> {
  const { name, scope } = words.flags;
  const leaseMs = wholeNumber(words, "lease");
  const json = { name, scope, leaseMs, ...from };
  out(JSON.stringify((await client.ask("POST", "/v1/guests", { json })).body));
  return 0;
}

async function run(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const words = readArgs(args, { ...OWNER, budget: { type: "string" } }, 1, USAGE);
  const { body } = await client.ask<{ reason: string }>("POST", pathOf(words, "/runs"), {
    json: { budgetMs: wholeNumber(words, "budget") },
    headers: ownerOf(words),
  });
  out(JSON.stringify(body));
  return body.reason === "dead" ? 1 : 0;
}

async function state(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const words = readArgs(args, OWNER, 2, USAGE);
  const json = { state: words.names[1] };
  const ask = { json, headers: ownerOf(words) };
  out(JSON.stringify((await client.ask("PUT", pathOf(words, "/state"), ask)).body));
  return 0;
}

async function interrupt(args: readonly string[], { client }: CommandContext): Promise<number> {
  const words = readArgs(args, OWNER, 2, USAGE);
  const line = wholeNumber({ ...words, flags: { line: words.names[1] } }, "line");
  const ask = { json: { line }, headers: ownerOf(words) };
  await client.ask("POST", pathOf(words, "/interrupts"), ask);
  return 0;
}

async function registers(
  args: readonly string[],
  { client, out }: CommandContext,
): Promise<number> {
  const options = { ...OWNER, set: { type: "string", multiple: true } } as const;
  const words = readArgs(args, options, 1, USAGE);
  const headers = ownerOf(words);
  const pairs = (words.flags["set"] ?? []) as unknown as readonly string[];
  const json = Object.fromEntries(pairs.map((pair) => {
    const [name = "", value = ""] = pair.split("=");
    return [name, String(number(value, `--set ${pair}`))];
  }));
  const path = pathOf(words, "/registers");
  const { body } = pairs.length === 0
    ? await client.ask("GET", path, { headers })
    : await client.ask("PATCH", path, { json, headers });
  out(JSON.stringify(body));
  return 0;
}

async function memory(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const words = readArgs(args, { ...OWNER, write: { type: "string" } }, 2, USAGE);
  const [first = "", last = first] = (words.names[1] ?? "").split("-");
  const [from, to] = [number(first, "the range"), number(last, "the range")];
  const { write } = words.flags;
  if (typeof write === "string") {
    await client.ask("PUT", pathOf(words, `/memory/ranges/${from}-${to}`), {
      bytes: hexBytes(write),
      headers: ownerOf(words),
    });
    return 0;
  }
  const headers = { ...ownerOf(words), range: `bytes=${from}-${to}` };
  const { body } = await client.read(pathOf(words, "/memory"), { headers });
  for (let row = 0; row < body.length; row += DUMP_ROW_BYTES) {
    const at = (from + BigInt(row)).toString(16).padStart(8, "0");
    const bytes = body.subarray(row, row + DUMP_ROW_BYTES);
    out(`${at}  ${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`);
  }
  return 0;
}

async function snapshot(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const words = readArgs(args, OWNER, 1, USAGE);
  const ask = { headers: ownerOf(words) };
  out(JSON.stringify((await client.ask("POST", pathOf(words, "/snapshots"), ask)).body));
  return 0;
}

async function remove(args: readonly string[], { client }: CommandContext): Promise<number> {
  const words = readArgs(args, OWNER, 1, USAGE);
  await client.ask("DELETE", pathOf(words, ""), { headers: ownerOf(words) });
  return 0;
}

function pathOf({ names: [name = ""] }: Words, what: string): string {
  return `/v1/guests/${encodeURIComponent(name)}${what}`;
}

function ownerOf({ flags }: Words): Record<string, string> {
  const token = flags["owner"] ?? environment.env("INNKEEPER_OWNER");
  return typeof token === "string" ? { "innkeeper-owner": token } : {};
}

async function imageOf(path: string): Promise<string> {
  try {
    return (await Deno.readFile(path)).toBase64();
  } catch (error) {
    throw new UsageError(`Cannot read the image: ${(error as Error).message}`);
  }
}

function address(words: Words, name: string): number | undefined {
  const text = words.flags[name];
  return typeof text === "string" ? Number(number(text, `--${name}`)) : undefined;
}

function number(text: string, what: string): bigint {
  if (/^(?:0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(text)) return BigInt(text);
  throw new UsageError(`Cannot use ${what}: "${text}" must be a number, decimal or 0x…`);
}

function hexBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromHex(text.replaceAll(" ", ""));
  } catch {
    throw new UsageError(`Cannot use --write "${text.slice(0, 40)}": it must be hexadecimal bytes`);
  }
}
