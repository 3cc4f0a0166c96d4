import { parseAddress, wholeNumber } from "./args.ts";
import { type Command, command, commandGroup } from "./command.ts";
import { environment } from "./environment.ts";
import { EXIT, UsageError } from "./exit.ts";
import { guestConsole } from "./guest_console.ts";
import { boot, clone, create } from "./guest_create.ts";
import { fetchAll, path } from "./listing.ts";

const DELETE_USAGE = `innkeeper guests delete NAME
create, boot and clone print the owner's token; the others take it as --owner TOKEN or INNKEEPER_OWNER`;

const OWNER = { owner: "text" } as const;
const DUMP_ROW_BYTES = 16;

const list = command("innkeeper guests list", {}, async (_none, { client, out }) => {
  for (const guest of await fetchAll(client, "/v1/guests")) out(JSON.stringify(guest));
});

const run = command(
  "innkeeper guests run NAME [--budget MS]",
  { names: ["name"], flags: { ...OWNER, budget: "number" } },
  async ({ name, budget, owner }, { client, out }) => {
    const { body } = await client.request<{ reason: string }>(
      "POST",
      path`/v1/guests/${name}/runs`,
      { json: { budgetMs: budget }, headers: ownerHeaders(owner) },
    );
    out(JSON.stringify(body));
    return body.reason === "dead" ? EXIT.refused : EXIT.clean;
  },
);

const state = command(
  "innkeeper guests state NAME ready|running|paused",
  { names: ["name", "state"], flags: OWNER },
  async ({ name, state, owner }, { client }) => {
    const request = { json: { state }, headers: ownerHeaders(owner) };
    return (await client.request("PUT", path`/v1/guests/${name}/state`, request)).body;
  },
);

const interrupt = command(
  "innkeeper guests interrupt NAME LINE",
  { names: ["name", "line"], flags: OWNER },
  async ({ name, line, owner }, { client }) => {
    await client.request("POST", path`/v1/guests/${name}/interrupts`, {
      json: { line: wholeNumber(line, "line") },
      headers: ownerHeaders(owner),
    });
  },
);

const registers = command(
  "innkeeper guests registers NAME [--set REGISTER=VALUE]...",
  { names: ["name"], flags: { ...OWNER, set: "texts" } },
  async ({ name, set, owner }, { client }) => {
    const json = set && Object.fromEntries(set.map((pair) => {
      const [register, value = ""] = pair.split("=");
      return [register, String(parseAddress(value, `--set ${pair}`))];
    }));
    const method = set === undefined ? "GET" : "PATCH";
    const request = { json, headers: ownerHeaders(owner) };
    return (await client.request(method, path`/v1/guests/${name}/registers`, request)).body;
  },
);

const memory = command(
  "innkeeper guests memory NAME FIRST-LAST [--write HEX]",
  { names: ["name", "range"], flags: { ...OWNER, write: "text" } },
  async ({ name, range, write, owner }, { client, out }) => {
    const [first = "", last = first] = range.split("-");
    const [from, to] = [parseAddress(first, "the range"), parseAddress(last, "the range")];
    const headers = ownerHeaders(owner);
    const memory = path`/v1/guests/${name}/memory`;
    if (write !== undefined) {
      await client.request("PUT", `${memory}/ranges/${from}-${to}`, {
        bytes: hexBytes(write),
        headers,
      });
      return;
    }
    const { body } = await client.read(memory, {
      headers: { ...headers, range: `bytes=${from}-${to}` },
    });
    for (let row = 0; row < body.length; row += DUMP_ROW_BYTES) {
      const at = (from + BigInt(row)).toString(16).padStart(8, "0");
      const bytes = body.subarray(row, row + DUMP_ROW_BYTES).toHex();
      out(`${at}  ${bytes.replaceAll(/..(?=.)/g, "$& ")}`);
    }
  },
);

const snapshot = command(
  "innkeeper guests snapshot NAME",
  { names: ["name"], flags: OWNER },
  async ({ name, owner }, { client }) => {
    const headers = ownerHeaders(owner);
    return (await client.request("POST", path`/v1/guests/${name}/snapshots`, { headers })).body;
  },
);

const remove = command(
  DELETE_USAGE,
  { names: ["name"], flags: OWNER },
  async ({ name, owner }, { client }) => {
    await client.request("DELETE", path`/v1/guests/${name}`, { headers: ownerHeaders(owner) });
  },
);

const actions = commandGroup("guests", {
  ...{ list, create, boot, console: guestConsole, clone, run, state },
  ...{ interrupt, registers, memory, snapshot, delete: remove },
});

/** `innkeeper guests`: makes guests and works on them. It prints answers as JSON. */
export const guests: Command = Object.assign(
  (...[args, context]: Parameters<Command>) =>
    actions(args.length === 0 ? ["list"] : args, context),
  { usage: actions.usage },
);

function ownerHeaders(owner = environment.env("INNKEEPER_OWNER")): Record<string, string> {
  return owner === undefined ? {} : { "innkeeper-owner": owner };
}

function hexBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromHex(text.replaceAll(" ", ""));
  } catch {
    throw new UsageError(`Cannot use --write "${text.slice(0, 40)}": it must be hexadecimal bytes`);
  }
}
