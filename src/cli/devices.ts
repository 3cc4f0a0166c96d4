import type { Command, CommandContext } from "./command.ts";
import { EXIT, ExitError, UsageError } from "./exit.ts";
import { readArgs, wholeNumber } from "./args.ts";

const USAGE = {
  list: "innkeeper devices list [--kind KIND] [--sandbox NAME] [--json]",
  resolve: "innkeeper devices resolve c|u|b|p MAJOR:MINOR CONTAINER_PATH",
  attach: "innkeeper devices attach ID HOLDER [--lease-ms N]",
  detach: "innkeeper devices detach ID HOLDER",
  render:
    "innkeeper devices render ID firecracker|cloud-hypervisor|qemu|libkrun|crosvm [--bus B] [--addr A]",
  image: "innkeeper devices image          prints the image\n" +
    "       innkeeper devices image match FILE | load FILE      puts it in place; - reads it from\n" +
    "                                                           standard input",
} as const;

const ACTIONS: Readonly<Record<keyof typeof USAGE, Command>> = {
  list,
  resolve,
  attach,
  detach,
  render,
  image,
};

/** `innkeeper devices`: what the daemon knows of devices, and who holds them. */
export const devices: Command = async ([action = "", ...args], context) => {
  if (!Object.hasOwn(ACTIONS, action)) {
    const lines = Object.values(USAGE).map((line) => `       ${line}`).join("\n");
    throw new UsageError(`Cannot run "devices ${action}"\nusage:\n${lines}`);
  }
  return await ACTIONS[action as keyof typeof ACTIONS](args, context);
};

interface DeviceRow {
  readonly id: string;
  readonly kind: string;
  readonly sandbox?: string;
  readonly status?: string;
  readonly info?: { readonly hostPath: string };
  readonly holders?: readonly { readonly name: string; readonly state: string }[];
}

async function list(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const { flags } = readArgs(
    args,
    { kind: { type: "string" }, sandbox: { type: "string" }, json: { type: "boolean" } },
    0,
    USAGE.list,
  );
  const rows: DeviceRow[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query = queryOf({
      limit: "1000",
      kind: flags["kind"],
      sandbox: flags["sandbox"],
      cursor,
    });
    const { body }: { body: { items: DeviceRow[]; next?: string } } = await client.ask(
      "GET",
      `/v1/devices${query}`,
    );
    rows.push(...body.items);
    cursor = body.next;
  }
  if (flags["json"] === true) {
    for (const row of rows) out(JSON.stringify(row));
    return EXIT.clean;
  }
  out("DEVICE  KIND  SANDBOX  STATUS  HELD BY  PATH");
  for (const { id, kind, sandbox = "-", status = "-", info, holders = [] } of rows) {
    const held = holders.map(({ name, state }) => state === "lost" ? `${name}(lost)` : name);
    out([id, kind, sandbox, status, held.join(",") || "-", info?.hostPath ?? "-"].join("  "));
  }
  return EXIT.clean;
}

async function resolve(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const { names: [type, numbers = "", containerPath] } = readArgs(args, {}, 3, USAGE.resolve);
  const [, major, minor] = /^([0-9]{1,20}):([0-9]{1,20})$/.exec(numbers) ?? [];
  if (major === undefined) {
    throw new UsageError(
      `Cannot resolve "${numbers}": it must be MAJOR:MINOR\nusage: ${USAGE.resolve}`,
    );
  }
  const json = { containerPath, type, major, minor };
  const { body } = await client.ask("POST", "/v1/devices/resolve", { json });
  out(JSON.stringify(body));
  return EXIT.clean;
}

async function attach(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const words = readArgs(args, { "lease-ms": { type: "string" } }, 2, USAGE.attach);
  const leaseMs = wholeNumber(words, "lease-ms");
  const { body } = await client.ask("PUT", holderPath(words.names), {
    json: leaseMs === undefined ? {} : { leaseMs },
  });
  out(JSON.stringify(body));
  return EXIT.clean;
}

async function detach(args: readonly string[], { client }: CommandContext): Promise<number> {
  const { names } = readArgs(args, {}, 2, USAGE.detach);
  await client.ask("DELETE", holderPath(names));
  return EXIT.clean;
}

async function render(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  const { flags, names: [id = "", hypervisor] } = readArgs(
    args,
    { bus: { type: "string" }, addr: { type: "string" } },
    2,
    USAGE.render,
  );
  const query = queryOf({ for: hypervisor, bus: flags["bus"], addr: flags["addr"] });
  const { body } = await client.ask("GET", `/v1/devices/${encodeURIComponent(id)}/render${query}`);
  out(JSON.stringify(body));
  return EXIT.clean;
}

async function image(args: readonly string[], { client, out }: CommandContext): Promise<number> {
  if (args.length === 0) {
    const { body } = await client.ask("GET", "/v1/devices/image");
    out(JSON.stringify(body));
    return EXIT.clean;
  }
  const { names: [mode, file = ""] } = readArgs(args, {}, 2, USAGE.image);
  const json = parse(await textOf(file), file);
  await client.ask("PUT", `/v1/devices/image${queryOf({ mode })}`, { json });
  return EXIT.clean;
}

async function textOf(file: string): Promise<string> {
  try {
    return file === "-"
      ? await new Response(Deno.stdin.readable).text()
      : await Deno.readTextFile(file);
  } catch (cause) {
    throw new ExitError(EXIT.usage, `Cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ExitError(EXIT.usage, `Cannot use ${file} as an image: it is not JSON`, { cause });
  }
}

function holderPath([id = "", holder = ""]: readonly string[]): string {
  return `/v1/devices/${encodeURIComponent(id)}/holders/${encodeURIComponent(holder)}`;
}

function queryOf(members: Readonly<Record<string, string | boolean | undefined>>): string {
  const given = Object.entries(members).filter(([, value]) => value !== undefined && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given as [string, string][])}`;
}
