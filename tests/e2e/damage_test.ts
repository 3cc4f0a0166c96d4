import { assert, assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";

/** A folder in which a daemon ran, with a scope, and was stopped. */
async function stopped(): Promise<string> {
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "test" });
  assertEquals(await daemon.stop(), 0);
  return daemon.folder;
}

/** How a start ends that must fail, and the one line that it says. */
async function failure(folder: string, args: readonly string[] = []): Promise<[number, string]> {
  const { code, stderr } = await Daemon.command(folder, { args }).output();
  const lines = new TextDecoder().decode(stderr).split("\n").filter((line) =>
    line !== "" && !line.startsWith("{") && !line.includes("experimental feature")
  );
  assertEquals(lines.length, 1, lines.join("\n"));
  return [code, lines[0] ?? ""];
}

Deno.test("a start with a damaged, older or missing ledger ends with 13 and one line", async () => {
  const folder = await stopped();
  const ledger = `${folder}/state/ledger.sqlite`;
  const good = await Deno.readFile(ledger);
  const damage: readonly [string, () => Promise<void>][] = [
    ["cut", () => Deno.truncate(ledger, 5000)],
    ["no database", () => Deno.writeFile(ledger, new Uint8Array(9000).fill(1))],
    ["missing", () => Deno.remove(ledger)],
    ["older", () => Deno.writeTextFile(`${ledger}.commits`, "1000")],
  ];
  const commits = await Deno.readTextFile(`${ledger}.commits`);
  for (const [name, harm] of damage) {
    await harm();
    const [code, line] = await failure(folder);
    assertEquals(code, 13, `${name}: ${line}`);
    assert(line.startsWith("Cannot ") && line.includes("--accept-loss"), `${name}: ${line}`);
    await Deno.writeFile(ledger, good);
    await Deno.writeTextFile(`${ledger}.commits`, commits);
  }
  await using daemon = await Daemon.start({ folder });
  await daemon.json(200, "GET", "/v1/scopes/vm-7");
});

Deno.test("--accept-loss goes on with a new ledger, past every number that was published", async () => {
  const folder = await stopped();
  await Deno.remove(`${folder}/state/ledger.sqlite`);
  await Deno.remove(`${folder}/state/ledger.sqlite.commits`);
  await using daemon = await Daemon.start({ folder, args: ["--accept-loss"] });
  const { items } = await daemon.json(200, "GET", "/v1/scopes");
  assertEquals(items.map(({ name }: { name: string }) => name), ["system"]);
});

Deno.test("a file in the place of a folder ends the start with one line", async () => {
  const folder = await stopped();
  await Deno.rename(`${folder}/state/snapshots`, `${folder}/state/snapshots.old`);
  await Deno.writeTextFile(`${folder}/state/snapshots`, "");
  const [code, line] = await failure(folder);
  assert(code === 3 || code === 2, line);
  assert(line.startsWith("Cannot "), line);
});

Deno.test("/readyz notices that the state folder is gone", async () => {
  await using daemon = await Daemon.start();
  await daemon.json(200, "GET", "/readyz");
  await Deno.rename(`${daemon.folder}/state`, `${daemon.folder}/elsewhere`);
  const problem = await daemon.json(503, "GET", "/readyz");
  assertEquals(problem.code, "state-unavailable");
  assert(problem.detail.includes("ledger.sqlite"), problem.detail);
  await Deno.rename(`${daemon.folder}/elsewhere`, `${daemon.folder}/state`);
  await daemon.json(200, "GET", "/readyz");
});
