import { command, type GroupSpec } from "./command.ts";
import { UsageError } from "./exit.ts";
import { openInput } from "./input.ts";
import { fetchAll, path, tableOf, withQuery } from "./listing.ts";
import { number, text } from "./options.ts";

const ID = { help: "the device, as `innkeeper devices list` shows it" };
const HOLDER = { help: "a name of your own for who uses it" };
const HYPERVISORS = ["firecracker", "cloud-hypervisor", "qemu", "libkrun", "crosvm"] as const;

interface DeviceRow {
  readonly id: string;
  readonly kind: string;
  readonly sandbox?: string;
  readonly status?: string;
  readonly info?: { readonly hostPath: string };
  readonly holders?: readonly { readonly name: string; readonly state: string }[];
}

const list = command({
  name: "list",
  summary: "list devices and who holds them",
  options: {
    kind: text("kind", "only devices of this kind"),
    sandbox: text("name", "only devices of this sandbox"),
  },
  examples: ["devices list --sandbox vm-7"],
  async run({ kind, sandbox }, { client }) {
    const rows = await fetchAll<DeviceRow>(client, "/v1/devices", { kind, sandbox });
    const table = tableOf("DEVICE  KIND  SANDBOX  STATUS  HELD BY  PATH", rows, (row) => {
      const { id, kind, sandbox = "-", status = "-", info, holders = [] } = row;
      const held = holders.map(({ name, state }) => state === "lost" ? `${name}(lost)` : name);
      return [id, kind, sandbox, status, held.join(",") || "-", info?.hostPath ?? "-"];
    });
    return { rows, table };
  },
});

const resolve = command({
  name: "resolve",
  summary: "find a device of the host by its number",
  arguments: {
    type: { help: "character, block, unbuffered or pipe", choices: ["c", "u", "b", "p"] },
    numbers: { help: "MAJOR:MINOR" },
    containerPath: { help: "where the sandbox sees it, such as /dev/sda" },
  },
  examples: ["devices resolve b 8:0 /dev/sda"],
  async run({ type, numbers, containerPath }, { client }) {
    const [, major, minor] = /^([0-9]{1,20}):([0-9]{1,20})$/.exec(numbers) ?? [];
    if (major === undefined) {
      throw new UsageError(`Cannot resolve "${numbers}": it must be MAJOR:MINOR`);
    }
    const json = { containerPath, type, major, minor };
    return { result: (await client.request("POST", "/v1/devices/resolve", { json })).body };
  },
});

const attach = command({
  name: "attach",
  summary: "hold a device under a name",
  arguments: { id: ID, holder: HOLDER },
  options: { "lease-ms": number("n", "the holder is lost unless it attaches again within this") },
  examples: ["devices attach device-3 vm-7"],
  async run({ id, holder, "lease-ms": leaseMs }, { client }) {
    const url = path`/v1/devices/${id}/holders/${holder}`;
    return { result: (await client.request("PUT", url, { json: { leaseMs } })).body };
  },
});

const detach = command({
  name: "detach",
  summary: "let a device go that is held under a name",
  arguments: { id: ID, holder: HOLDER },
  examples: ["devices detach device-3 vm-7"],
  async run({ id, holder }, { client }) {
    await client.request("DELETE", path`/v1/devices/${id}/holders/${holder}`);
  },
});

const render = command({
  name: "render",
  summary: "say in a hypervisor's words how a device is plugged and taken out",
  arguments: { id: ID, hypervisor: { help: "whose words", choices: HYPERVISORS } },
  options: {
    bus: text("name", "the bus that it is plugged into"),
    addr: text("address", "its address there"),
  },
  examples: ["devices render device-3 qemu --bus rp1"],
  async run({ id, hypervisor, bus, addr }, { client }) {
    const url = withQuery(path`/v1/devices/${id}/render`, { for: hypervisor, bus, addr });
    return { result: (await client.request("GET", url)).body };
  },
});

const image = command({
  name: "image",
  summary: "print the whole registry, or put it in place",
  arguments: {
    mode: {
      help: "load into an empty registry, or match one that has the same devices; prints without",
      choices: ["match", "load"],
      optional: true,
    },
    file: { help: "the image; - is standard input", optional: true },
  },
  examples: ["devices image > devices.json", "devices image load devices.json"],
  async run({ mode, file }, { client }) {
    if (mode === undefined) {
      return { result: (await client.request("GET", "/v1/devices/image")).body };
    }
    if (file === undefined) throw new UsageError(`Cannot ${mode} an image: the file is missing`);
    const json = parseJson(await new Response(await openInput(file)).text(), file);
    await client.request("PUT", withQuery("/v1/devices/image", { mode }), { json });
    return undefined;
  },
});

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`Cannot use ${file} as an image: it is not JSON`, { cause });
  }
}

/** `innkeeper devices`: what the daemon knows of devices, and who holds them. */
export const devices: GroupSpec = {
  name: "devices",
  summary: "devices and who holds them",
  actions: [list, resolve, attach, detach, render, image],
};
