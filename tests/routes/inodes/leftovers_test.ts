import { assertEquals, assertMatch } from "@std/assert";
import { inodeRoutes } from "../../../routes/inodes/inodes.ts";
import type { InodeStore } from "../../../src/inodes/store/store.ts";
import { Api } from "../../support/api.ts";
import { CollectedEvents } from "../../support/events.ts";
import { HostStore, openInode, PAGE, pattern, readOf } from "../../support/inode_store.ts";

/** A store whose process died with ten and five dirty bytes, below which the file changed. */
async function left() {
  const host = new HostStore();
  await Deno.writeFile(host.path("f"), new Uint8Array(2 * PAGE));
  const inode = await openInode(host.store);
  await readOf(inode);
  await inode.write(pattern(10), 100n);
  await inode.write(pattern(5, 2), BigInt(PAGE));
  await Deno.writeFile(host.path("f"), pattern(PAGE, 7));
  const events = new CollectedEvents();
  const store: InodeStore = host.again({ events });
  await store.recover();
  const { id } = inode.identity;
  return { host, id, events, store, api: Api.of(inodeRoutes(store)), at: `/v1/kept/${id}` };
}

Deno.test("GET /v1/kept lists what no start could write, with its reason, ranges and bytes", async () => {
  const { host, id, api, at } = await left();
  await using _ = host;
  const { items } = await api.json(200, "GET", "/v1/kept");
  const reason = "the file was changed from outside below it";
  assertEquals(items, [{ id, root: "r", path: "f", dirtyBytes: "15", reason }]);
  const first = await api.json(200, "GET", `${at}?limit=1`);
  assertEquals(first.ranges, [{ offset: "100", length: "10" }]);
  const second = await api.json(200, "GET", `${at}?limit=1&cursor=${first.next}`);
  assertEquals([second.ranges, second.next], [[{ offset: String(PAGE), length: "5" }], undefined]);
  const bytes = await api.send("GET", `${at}/ranges/102-104`);
  assertEquals(new Uint8Array(await bytes.arrayBuffer()), pattern(10).slice(2, 5));
  await api.refused("range-not-satisfiable", "GET", `${at}/ranges/99-104`);
  await api.refused("malformed-request", "GET", `${at}/ranges/104`);
  await api.refused("leftover-not-found", "GET", "/v1/kept/none");
});

Deno.test("POST /v1/kept/{id}/retry writes over a change from outside only by force", async () => {
  const { host, events, store, api, at } = await left();
  await using _ = host;
  const again = await api.json(200, "POST", `${at}/retry`, { json: {} });
  assertEquals(again.outcome, "kept");
  assertMatch(again.reason, /changed from outside/);
  assertEquals(await Deno.readFile(host.path("f")), pattern(PAGE, 7));
  const open = await openInode(store, { holder: "somebody" });
  await api.refused("file-in-use", "POST", `${at}/retry`, { json: { force: true } });
  await store.release(open.identity.id, "somebody");
  const forced = await api.json(200, "POST", `${at}/retry`, { json: { force: true } });
  assertEquals(forced, { outcome: "restored" });
  const found = await Deno.readFile(host.path("f"));
  assertEquals(found.slice(100, 110), pattern(10));
  assertEquals(found.slice(PAGE), pattern(5, 2));
  assertEquals((await api.json(200, "GET", "/v1/kept")).items, []);
  assertEquals(
    events.facts.map(({ kind }) => kind).filter((kind) => kind !== "inode.opened"),
    ["inode.kept", "inode.kept", "inode.released", "inode.recovered"],
  );
  assertEquals((await host.again().recover()).length, 0);
});

Deno.test("DELETE /v1/kept/{id} drops the bytes for good, and says which", async () => {
  const { host, events, api, at } = await left();
  await using _ = host;
  assertEquals((await api.send("DELETE", at)).status, 204);
  await api.refused("leftover-not-found", "DELETE", at);
  const [{ kind, data } = { kind: "none", data: {} }] = events.facts.slice(-1);
  assertEquals([kind, data], ["inode.discarded", { root: "r", path: "f", dirtyBytes: 15n }]);
  assertEquals((await host.again().recover()).length, 0);
  assertEquals(await Deno.readFile(host.path("f")), pattern(PAGE, 7));
});
