import { command, type GroupSpec } from "./command.ts";
import { EXIT, UsageError } from "./exit.ts";
import { guestConsole } from "./guest_console.ts";
import { boot, clone, create } from "./guest_create.ts";
import { OWNER, ownerHeaders } from "./guest_owner.ts";
import { fetchAll, path } from "./listing.ts";
import { parseAddress, wholeNumber } from "./numbers.ts";
import { number, text, texts } from "./options.ts";

const NAME = { help: "the guest" };
const DUMP_ROW_BYTES = 16;

const list = command({
  name: "list",
  summary: "list the guests, a line of JSON each",
  examples: ["guests list"],
  async run(_none, { client }) {
    return { rows: await fetchAll(client, "/v1/guests") };
  },
});

const run = command({
  name: "run",
  summary: "run a bare guest to its next event",
  details: "The status is 9 when the guest dies.",
  arguments: { name: NAME },
  options: { ...OWNER, budget: number("ms", "it is interrupted after so long") },
  examples: ["guests run g --budget 1000"],
  async run({ name, budget, owner }, { client }) {
    const { body } = await client.request<{ reason: string; deathReason?: string }>(
      "POST",
      path`/v1/guests/${name}/runs`,
      { json: { budgetMs: budget }, headers: ownerHeaders(owner) },
    );
    if (body.reason !== "dead") return { result: body };
    const note = `Guest "${name}" has died: ${body.deathReason}`;
    return { result: body, note, status: EXIT.failed };
  },
});

const state = command({
  name: "state",
  summary: "start or pause a guest",
  arguments: {
    name: NAME,
    state: { help: "what it is to be", choices: ["ready", "running", "paused"] },
  },
  options: OWNER,
  examples: ["guests state vm-8 running"],
  async run({ name, state, owner }, { client }) {
    const request = { json: { state }, headers: ownerHeaders(owner) };
    return { result: (await client.request("PUT", path`/v1/guests/${name}/state`, request)).body };
  },
});

const interrupt = command({
  name: "interrupt",
  summary: "raise an interrupt line of a bare guest",
  arguments: { name: NAME, line: { help: "the number of the line" } },
  options: OWNER,
  examples: ["guests interrupt g 1"],
  async run({ name, line, owner }, { client }) {
    await client.request("POST", path`/v1/guests/${name}/interrupts`, {
      json: { line: wholeNumber(line, "line") },
      headers: ownerHeaders(owner),
    });
  },
});

const registers = command({
  name: "registers",
  summary: "show a guest's registers, or set some",
  arguments: { name: NAME },
  options: { ...OWNER, set: texts("register=value", "set this one; decimal or 0x…") },
  examples: ["guests registers g", "guests registers g --set ax=0x10 --set bx=3"],
  async run({ name, set, owner }, { client }) {
    const json = set && Object.fromEntries(set.map((pair) => {
      const [register, value = ""] = pair.split("=");
      return [register, String(parseAddress(value, `--set ${pair}`))];
    }));
    const method = set === undefined ? "GET" : "PATCH";
    const request = { json, headers: ownerHeaders(owner) };
    const { body } = await client.request(method, path`/v1/guests/${name}/registers`, request);
    return { result: body };
  },
});

const memory = command({
  name: "memory",
  summary: "show a guest's memory, or write to it",
  arguments: { name: NAME, range: { help: "FIRST-LAST, both included; decimal or 0x…" } },
  options: { ...OWNER, write: text("hex", "write these bytes instead") },
  examples: ["guests memory g 0x3000-0x30ff", 'guests memory g 0x3000-0x3001 --write "0a ff"'],
  async run({ name, range, write, owner }, { client }) {
    const [first = "", last = first] = range.split("-");
    const [from, to] = [parseAddress(first, "the range"), parseAddress(last, "the range")];
    const headers = ownerHeaders(owner);
    const memory = path`/v1/guests/${name}/memory`;
    if (write !== undefined) {
      const bytes = hexBytes(write);
      await client.request("PUT", `${memory}/ranges/${from}-${to}`, { bytes, headers });
      return undefined;
    }
    const { body } = await client.read(memory, {
      headers: { ...headers, range: `bytes=${from}-${to}` },
    });
    return {
      rows: [{ offset: String(from), bytes: body.toBase64() }],
      table: dump(from, body),
    };
  },
});

/** Rows of addresses and bytes, in hexadecimal. */
function dump(from: bigint, bytes: Uint8Array): string[] {
  const rows: string[] = [];
  for (let row = 0; row < bytes.length; row += DUMP_ROW_BYTES) {
    const at = (from + BigInt(row)).toString(16).padStart(8, "0");
    const hex = bytes.subarray(row, row + DUMP_ROW_BYTES).toHex();
    rows.push(`${at}  ${hex.replaceAll(/..(?=.)/g, "$& ")}`);
  }
  return rows;
}

const snapshot = command({
  name: "snapshot",
  summary: "store a paused guest as a snapshot",
  arguments: { name: NAME },
  options: OWNER,
  examples: ["guests snapshot vm-8"],
  async run({ name, owner }, { client }) {
    const headers = ownerHeaders(owner);
    const { body } = await client.request("POST", path`/v1/guests/${name}/snapshots`, { headers });
    return { result: body };
  },
});

const remove = command({
  name: "delete",
  summary: "delete a guest",
  arguments: { name: NAME },
  options: OWNER,
  examples: ["guests delete vm-8"],
  async run({ name, owner }, { client }) {
    await client.request("DELETE", path`/v1/guests/${name}`, { headers: ownerHeaders(owner) });
  },
});

/** `innkeeper guests`: makes guests and works on them. It prints answers as JSON. */
export const guests: GroupSpec = {
  name: "guests",
  summary: "make guests and work on them",
  actions: [
    ...[list, create, boot, guestConsole, clone, run, state, interrupt, registers, memory],
    ...[snapshot, remove],
  ],
  defaultAction: "list",
};

function hexBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromHex(text.replaceAll(" ", ""));
  } catch {
    throw new UsageError(`Cannot use --write "${text.slice(0, 40)}": it must be hexadecimal bytes`);
  }
}
