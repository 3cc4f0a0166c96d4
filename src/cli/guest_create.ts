import { MIB, PAGE_BYTES } from "../core/limits.ts";
import { parseAddress } from "./args.ts";
import { command, type CommandContext } from "./command.ts";
import { UsageError } from "./exit.ts";
import { openInput } from "./input.ts";

const CREATE_USAGE =
  `innkeeper guests create --image FILE|--inode ID [--at ADDRESS] [--start ADDRESS]
                               [--memory MIB] [--name NAME] [--scope SCOPE] [--lease MS]`;
const BOOT_USAGE =
  `innkeeper guests boot --kernel ID [--initrd ID] [--memory MIB] [--command-line TEXT]
                             [--disk ID[:ro]]... [--share ROOT] [--name NAME] [--scope SCOPE]
                             [--lease MS]`;
const NEW_GUEST = { name: "text", scope: "text", lease: "number" } as const;
const BARE = {
  ...NEW_GUEST,
  image: "text",
  inode: "text",
  at: "text",
  start: "text",
  memory: "number",
} as const;
const LINUX = {
  ...NEW_GUEST,
  kernel: "text",
  initrd: "text",
  memory: "number",
  "command-line": "text",
  disk: "texts",
  share: "text",
} as const;

const LINUX_MIB_DEFAULT = 128;
const IMAGE_AT_DEFAULT = 0x1000;
const MEMORY_MIB_DEFAULT = 1;

/** `innkeeper guests create`: makes a bare guest from an image. */
export const create = command(CREATE_USAGE, { flags: BARE }, async (args, context) => {
  const { image, inode, memory = MEMORY_MIB_DEFAULT } = args;
  if ((image === undefined) === (inode === undefined)) {
    throw new UsageError(`Give either --image or --inode\nusage: ${CREATE_USAGE}`);
  }
  const at = args.at === undefined ? IMAGE_AT_DEFAULT : Number(parseAddress(args.at, "--at"));
  const start = args.start === undefined ? at : Number(parseAddress(args.start, "--start"));
  const content = image === undefined ? { inode } : { bytes: await base64Of(image) };
  const bare = { pfnLimit: memory * MIB / PAGE_BYTES, start, load: [{ at, ...content }] };
  return await make(args, { bare }, context);
});

/** `innkeeper guests boot`: makes a Linux guest. */
export const boot = command(BOOT_USAGE, { flags: LINUX }, async (args, context) => {
  const { kernel, initrd, memory = LINUX_MIB_DEFAULT, disk = [], share } = args;
  if (kernel === undefined) throw new UsageError(`Give --kernel\nusage: ${BOOT_USAGE}`);
  const linux = {
    memoryMiB: memory,
    kernel,
    initrd,
    commandLine: args["command-line"],
    disks: disk.map((id) => ({ inode: id.replace(/:ro$/, ""), readOnly: id.endsWith(":ro") })),
    share: share === undefined ? undefined : { root: share },
  };
  return await make(args, { linux }, context);
});

/** `innkeeper guests clone`: makes a guest from a snapshot. */
export const clone = command(
  "innkeeper guests clone SNAPSHOT [--name NAME] [--scope SCOPE] [--lease MS]",
  { names: ["snapshot"], flags: NEW_GUEST },
  async ({ snapshot, ...args }, context) => await make(args, { snapshot }, context),
);

/** Makes a guest, and returns it with the token of its owner. */
async function make(
  { name, scope, lease }: { name?: string; scope?: string; lease?: number },
  from: Record<string, unknown>,
  { client }: CommandContext,
): Promise<unknown> {
  const json = { name, scope, leaseMs: lease, ...from };
  return (await client.request("POST", "/v1/guests", { json })).body;
}

async function base64Of(file: string): Promise<string> {
  return (await new Response(await openInput(file)).bytes()).toBase64();
}
