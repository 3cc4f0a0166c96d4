import { assertEquals, assertRejects } from "@std/assert";
import { Principal } from "../../src/access/tokens.ts";
import { Fault } from "../../src/core/faults.ts";
import { Innkeeper, type InnkeeperParts } from "../../src/daemon/innkeeper.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { Guests } from "../../src/guests/guests.ts";
import { Reseeders } from "../../src/sessions/reseeders.ts";
import { FAKE_PROGRAMS, FakeEngine } from "../support/guest_engine.ts";
import { guestFiles } from "../support/guest_files.ts";
import { bzImageOf } from "../support/kernels.ts";
import { ScopesBench } from "../support/scopes.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

const load = [{ at: 0x1000n, bytes: FAKE_PROGRAMS.hello }];
const bare = { pfnLimit: 16, start: 0x1000n, load };

async function bench() {
  const world = new ScopesBench();
  const scopes = await world.open();
  const guests = await Guests.open({
    engines: { v86: () => new FakeEngine() },
    files: guestFiles(() => bzImageOf()),
    snapshots: new MemorySnapshots(),
    ledger: world.ledger,
    events: world.events,
    clock: world.clock,
    random: world.random,
  });
  const inode = (root: string) => ({ identity: { root, path: "a" } });
  const inodes = { find: (id: string) => id === "none" ? undefined : inode(id) };
  const innkeeper = new Innkeeper(
    { scopes, guests, inodes, reseeders: new Reseeders() } as unknown as InnkeeperParts,
  );
  const { guest, ownerToken } = await innkeeper.createGuest(
    { name: "g", engine: "auto", bare },
    "x",
  );
  await guest.pause();
  const { id: snapshot } = await innkeeper.snapshotGuest("g", ownerToken);
  for (const name of ["theirs", "mine-1"]) await scopes.put(name, DEFAULT_OPTIONS);
  const make = (command: object, grants: string, token: string | undefined = ownerToken) => {
    const caller = new Principal("one", grants.split(","));
    const given = { engine: "auto", ...command } as const;
    return innkeeper.createGuest(given, caller.name, { caller, ownerToken: token });
  };
  const refused = async (command: object, grants: string, token?: string): Promise<string> => {
    const before = scopes.list().map(({ state: { name, epoch } }) => `${name} ${epoch}`);
    const { code } = await assertRejects(() => make(command, grants, token), Fault);
    const after = scopes.list().map(({ state: { name, epoch } }) => `${name} ${epoch}`);
    assertEquals(after, before, "a refusal changes no scope");
    assertEquals(guests.list().map(({ id }) => id), ["g"]);
    return code;
  };
  return { scopes, guests, snapshot, make, refused };
}

Deno.test("Innkeeper.createGuest() bumps a scope by a clone only for who may bump it", async () => {
  const { scopes, snapshot, make, refused } = await bench();
  const clone = { name: "clone", snapshot, scope: "theirs" };
  const denied = "bump-not-permitted";
  assertEquals(await refused(clone, "guest,read"), denied);
  assertEquals(await refused(clone, "guest,read,watch,write,bump:mine-*"), denied);
  const before = scopes.get("theirs").state.generation;
  await make(clone, "guest,bump:theirs");
  assertEquals(scopes.get("theirs").state.generation > before, true);
});

Deno.test("Innkeeper.createGuest() makes a scope only for who may write it", async () => {
  const { scopes, snapshot, make, refused } = await bench();
  for (const from of [{ snapshot }, { bare }]) {
    assertEquals(await refused({ name: "new", ...from }, "guest,read,bump,watch"), "not-permitted");
    assertEquals(await refused({ name: "new", ...from }, "guest,write:mine-*"), "not-permitted");
  }
  await make({ name: "new", bare, scope: "mine-2" }, "guest,write:mine-*");
  assertEquals(scopes.has("mine-2"), true);
});

Deno.test("Innkeeper.createGuest() puts a guest into a scope only for who may read or watch it", async () => {
  const { make, refused } = await bench();
  const command = { name: "new", bare, scope: "theirs" };
  assertEquals(await refused(command, "guest,write,bump,watch,read:mine-*"), "not-permitted");
  const linux = { memoryMiB: 20, kernel: "mine-root", disks: [] };
  const boot = { name: "new", linux, scope: "theirs" };
  assertEquals(await refused(boot, "guest,write,bump,read,watch:mine-*"), "not-permitted");
  await make(command, "guest,read:theirs");
});

Deno.test("Innkeeper.createGuest() clones only for who may use the snapshot's guest and owns it", async () => {
  const { snapshot, make, refused } = await bench();
  const clone = { name: "clone", snapshot, scope: "mine-1" };
  assertEquals(await refused(clone, "guest:clone,bump,read"), "snapshot-not-found");
  assertEquals(await refused(clone, "guest,bump,read", "wrong"), "not-owner");
  await make(clone, "guest:g,guest:clone,bump:mine-1");
  await make({ ...clone, name: "second" }, "admin", "wrong");
});

Deno.test("Innkeeper.createGuest() lets a guest read only what its maker may", async () => {
  const { refused } = await bench();
  const grants = "guest,write,read:roots/mine-*";
  const withInode = (inode: string) => ({
    name: "n",
    bare: { ...bare, load: [{ at: 0n, inode }] },
  });
  for (const inode of ["theirs-root", "none"]) {
    assertEquals(await refused(withInode(inode), grants), "inode-not-found");
  }
  const linux = { memoryMiB: 20, kernel: "mine-root", disks: [] };
  for (
    const [more, code] of [
      [{ kernel: "theirs-root" }, "inode-not-found"],
      [{ initrd: "theirs-root" }, "inode-not-found"],
      [{ disks: [{ inode: "theirs-root", readOnly: true }] }, "inode-not-found"],
      [{ share: { root: "theirs-root" } }, "not-permitted"],
    ] as const
  ) assertEquals(await refused({ name: "n", linux: { ...linux, ...more } }, grants), code);
});
