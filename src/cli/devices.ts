import { type Command, command, commandGroup } from "./command.ts";
import { UsageError } from "./exit.ts";
import { openInput } from "./input.ts";
import { fetchAll, path, printRows, withQuery } from "./listing.ts";

const RESOLVE_USAGE = "innkeeper devices resolve c|u|b|p MAJOR:MINOR CONTAINER_PATH";
const IMAGE_USAGE = "innkeeper devices image          prints the image\n" +
  "       innkeeper devices image match FILE | load FILE      puts it in place; - reads it from\n" +
  "                                                           standard input";

interface DeviceRow {
  readonly id: string;
  readonly kind: string;
  readonly sandbox?: string;
  readonly status?: string;
  readonly info?: { readonly hostPath: string };
  readonly holders?: readonly { readonly name: string; readonly state: string }[];
}

const list = command(
  "innkeeper devices list [--kind KIND] [--sandbox NAME] [--json]",
  { flags: { kind: "text", sandbox: "text", json: "switch" } },
  async ({ kind, sandbox, json }, { client, out }) => {
    printRows(out, await fetchAll<DeviceRow>(client, "/v1/devices", { kind, sandbox }), {
      json,
      head: "DEVICE  KIND  SANDBOX  STATUS  HELD BY  PATH",
      cells: ({ id, kind, sandbox = "-", status = "-", info, holders = [] }) => {
        const held = holders.map(({ name, state }) => state === "lost" ? `${name}(lost)` : name);
        return [id, kind, sandbox, status, held.join(",") || "-", info?.hostPath ?? "-"];
      },
    });
  },
);

const resolve = command(
  RESOLVE_USAGE,
  { names: ["type", "numbers", "containerPath"] },
  async ({ type, numbers, containerPath }, { client }) => {
    const [, major, minor] = /^([0-9]{1,20}):([0-9]{1,20})$/.exec(numbers) ?? [];
    if (major === undefined) {
      throw new UsageError(
        `Cannot resolve "${numbers}": it must be MAJOR:MINOR\nusage: ${RESOLVE_USAGE}`,
      );
    }
    const json = { containerPath, type, major, minor };
    return (await client.request("POST", "/v1/devices/resolve", { json })).body;
  },
);

const attach = command(
  "innkeeper devices attach ID HOLDER [--lease-ms N]",
  { names: ["id", "holder"], flags: { "lease-ms": "number" } },
  async ({ id, holder, "lease-ms": leaseMs }, { client }) => {
    const url = path`/v1/devices/${id}/holders/${holder}`;
    return (await client.request("PUT", url, { json: { leaseMs } })).body;
  },
);

const detach = command(
  "innkeeper devices detach ID HOLDER",
  { names: ["id", "holder"] },
  async ({ id, holder }, { client }) => {
    await client.request("DELETE", path`/v1/devices/${id}/holders/${holder}`);
  },
);

const render = command(
  "innkeeper devices render ID firecracker|cloud-hypervisor|qemu|libkrun|crosvm [--bus B] [--addr A]",
  { names: ["id", "hypervisor"], flags: { bus: "text", addr: "text" } },
  async ({ id, hypervisor, bus, addr }, { client }) => {
    const url = withQuery(path`/v1/devices/${id}/render`, { for: hypervisor, bus, addr });
    return (await client.request("GET", url)).body;
  },
);

const printImage = command(
  IMAGE_USAGE,
  {},
  async (_none, { client }) => (await client.request("GET", "/v1/devices/image")).body,
);

const putImage = command(
  IMAGE_USAGE,
  { names: ["mode", "file"] },
  async ({ mode, file }, { client }) => {
    const json = parse(await new Response(await openInput(file)).text(), file);
    await client.request("PUT", withQuery("/v1/devices/image", { mode }), { json });
  },
);

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`Cannot use ${file} as an image: it is not JSON`, { cause });
  }
}

const image: Command = Object.assign(
  (...[args, context]: Parameters<Command>) =>
    (args.length === 0 ? printImage : putImage)(args, context),
  { usage: IMAGE_USAGE },
);

/** `innkeeper devices`: what the daemon knows of devices, and who holds them. */
export const devices = commandGroup("devices", { list, resolve, attach, detach, render, image });
