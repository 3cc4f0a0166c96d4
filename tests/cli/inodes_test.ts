import { assert, assertEquals, assertRejects } from "@std/assert";
import { inodes } from "../../src/cli/inodes.ts";
import { HttpClient } from "../../src/client/http_client.ts";
import { ProblemError } from "../../src/client/problem_error.ts";
import { MIB } from "../../src/core/limits.ts";
import { admin } from "../../src/access/tokens.ts";
import { UsageError } from "../../src/cli/exit.ts";
import { inodeRoutes } from "../../routes/inodes/inodes.ts";
import { Api } from "../support/api.ts";
import { HostStore, openInode, pattern, readOf } from "../support/inode_store.ts";
import { runSpec } from "../support/command.ts";

/** The command in front of routes without a socket. */
async function run(host: HostStore, ...args: readonly string[]): Promise<string[]> {
  const { app } = Api.of(inodeRoutes(host.store));
  const listener = { kind: "unix", principal: admin("test") } as const;
  const send: typeof fetch = async (input, init) =>
    await app.fetch(new Request(input as string, init), { listener });
  const client = new HttpClient({ url: "http://localhost", fetch: send });
  const { status, out, err } = await runSpec(inodes, args, client);
  assertEquals(status, 0);
  return [...out, ...err];
}

Deno.test("inodes list, stat, write, sync and evict show and change an open inode", async () => {
  await using host = new HostStore();
  const inode = await openInode(host.store);
  const { id } = inode.identity;
  const content = pattern(9 * MIB + 7);
  await Deno.writeFile(host.path("source"), content);
  await run(host, "write", id, host.path("source"));
  assertEquals(await readOf(inode), content);
  await Deno.writeFile(host.path("source"), pattern(10, 3));
  await run(host, "write", id, "--offset", "5", "--durable", host.path("source"));
  assertEquals(await readOf(inode, 5, 10), pattern(10, 3));
  await run(host, "write", id, "--replace", host.path("source"));
  assertEquals(await readOf(inode), pattern(10, 3));
  await run(host, "sync", id);
  const [, row = ""] = await run(host, "list");
  assertEquals(row, `${id}  own  10  4096  0  test  r/f`);
  assertEquals(JSON.parse((await run(host, "list", "--json"))[0] ?? "").id, id);
  const stat = JSON.parse((await run(host, "stat", id))[0] ?? "");
  assertEquals([stat.size, stat.stats.residentBytes], ["10", "4096"]);
  const [evicted = ""] = await run(host, "evict", id, "--offset", "0", "--length", "1");
  assertEquals(JSON.parse(evicted).evictedBytes, "4096");
  await run(host, "evict", id);
});

Deno.test("inodes refuses words of no use, and passes problems on", async () => {
  await using host = new HostStore();
  const wrong = [
    [],
    ["open"],
    ["toString"],
    ["stat"],
    ["stat", "a", "b"],
    ["read", "a", "--offset", "-1"],
    ["read", "a", "--offset", "x"],
    ["write", "a"],
    ["write", "a", "--replace", "--offset", "5", "-"],
    ["evict", "a", "--offset", "5"],
    ["sync", "a", "--force"],
  ];
  for (const args of wrong) await assertRejects(() => run(host, ...args), UsageError);
  const refusal = await assertRejects(() => run(host, "stat", "none"), ProblemError);
  assert(refusal.problem.code === "inode-not-found");
});
