import { MIB, PAGE_BYTES } from "../core/limits.ts";
import { command, type CommandContext } from "./command.ts";
import { UsageError } from "./exit.ts";
import { OWNER, ownerHeaders } from "./guest_owner.ts";
import { openInput } from "./input.ts";
import { parseAddress } from "./numbers.ts";
import { number, required, text, texts } from "./options.ts";

const LINUX_MIB_DEFAULT = 128;
const IMAGE_AT_DEFAULT = 0x1000;
const MEMORY_MIB_DEFAULT = 1;

const NEW_GUEST = {
  name: text("name", "what it is called [a name that is free]"),
  scope: text("scope", "the scope whose generations it follows"),
  lease: number("ms", "it is deleted unless its owner renews it within this"),
} as const;
const OWNER_HELP = "Prints the guest with its owner's token, which the other commands take as " +
  "--owner or INNKEEPER_OWNER.";

/** `innkeeper guests create`: makes a bare guest from an image. */
export const create = command({
  name: "create",
  summary: "make a bare guest from an image",
  details: OWNER_HELP,
  options: {
    ...NEW_GUEST,
    image: text("file", "its program, from a file; - is standard input"),
    inode: text("id", "its program, from an inode"),
    at: text("address", "where the program goes [0x1000]"),
    start: text("address", "the first instruction [where the program is]"),
    memory: number("mib", `its memory [${MEMORY_MIB_DEFAULT}]`),
  },
  examples: ["guests create --name g --image hello.bin"],
  async run(args, context) {
    const { image, inode, memory = MEMORY_MIB_DEFAULT } = args;
    if ((image === undefined) === (inode === undefined)) {
      throw new UsageError("Give either --image or --inode");
    }
    const at = args.at === undefined ? IMAGE_AT_DEFAULT : Number(parseAddress(args.at, "--at"));
    const start = args.start === undefined ? at : Number(parseAddress(args.start, "--start"));
    const content = image === undefined ? { inode } : { bytes: await base64Of(image) };
    const bare = { pfnLimit: memory * MIB / PAGE_BYTES, start, load: [{ at, ...content }] };
    return await make(args, { bare }, context);
  },
});

/** `innkeeper guests boot`: makes a Linux guest. */
export const boot = command({
  name: "boot",
  summary: "make a Linux guest from a kernel",
  details: `Its files are inodes, opened before. ${OWNER_HELP}`,
  options: {
    ...NEW_GUEST,
    kernel: required(text("id", "the kernel: bzImage or vmlinux, 32-bit")),
    initrd: text("id", "its initial RAM disk"),
    memory: number("mib", `its memory [${LINUX_MIB_DEFAULT}]`),
    "command-line": text("text", "the kernel's command line"),
    disk: texts("id[:ro]", "a disk; what the guest writes goes to an overlay of its own"),
    share: text("root", "a root that it sees over 9p, read-only"),
  },
  examples: ["guests boot --name vm-8 --kernel inode-1 --initrd inode-2 --disk inode-3:ro"],
  async run(args, context) {
    const { kernel, initrd, memory = LINUX_MIB_DEFAULT, disk = [], share } = args;
    const linux = {
      memoryMiB: memory,
      kernel,
      initrd,
      commandLine: args["command-line"],
      disks: disk.map((id) => ({ inode: id.replace(/:ro$/, ""), readOnly: id.endsWith(":ro") })),
      share: share === undefined ? undefined : { root: share },
    };
    return await make(args, { linux }, context);
  },
});

/** `innkeeper guests clone`: makes a guest from a snapshot. */
export const clone = command({
  name: "clone",
  summary: "make a guest from a snapshot",
  details: OWNER_HELP,
  arguments: { snapshot: { help: "the snapshot, as `innkeeper guests snapshot` printed it" } },
  options: { ...NEW_GUEST, ...OWNER },
  examples: ["guests clone snapshot-1 --name vm-9 --scope vm-9"],
  async run({ snapshot, owner, ...args }, context) {
    return await make(args, { snapshot }, context, ownerHeaders(owner));
  },
});

/** Makes a guest, and returns it with the token of its owner. */
async function make(
  { name, scope, lease }: { name?: string; scope?: string; lease?: number },
  from: Record<string, unknown>,
  { client }: CommandContext,
  headers: Record<string, string> = {},
): Promise<{ readonly result: unknown }> {
  const json = { name, scope, leaseMs: lease, ...from };
  return { result: (await client.request("POST", "/v1/guests", { json, headers })).body };
}

async function base64Of(file: string): Promise<string> {
  return (await new Response(await openInput(file)).bytes()).toBase64();
}
