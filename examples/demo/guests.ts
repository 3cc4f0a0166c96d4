import { openImage } from "./inodes.ts";
import { type Answer, hold, say, type Stage } from "./stage.ts";

/** Where hello.bin is loaded and starts; see its source. */
const HELLO_AT = "4096";
const HELLO_READY = "24589";

/** The header by which the owner of a guest is known. */
type Owner = Readonly<Record<string, string>>;

/**
 * Boots a program, interrupts it and snapshots it.
 *
 * @param inode The program's image
 * @returns The id of the snapshot
 */
export async function bootAndSnapshot(stage: Stage, inode: string): Promise<string> {
  say("\n# A real 32-bit program boots from that image on the v86 engine.");
  const made = await stage.request("POST", "/v1/guests", {
    json: {
      name: "hello",
      bare: { pfnLimit: 16, start: HELLO_AT, load: [{ at: HELLO_AT, inode }] },
    },
  });
  hold(made.status === 201, "the guest is ready");
  const headers = { "innkeeper-owner": made.body.ownerToken };
  hold(
    await run(stage, "hello", headers) === HELLO_READY,
    "it ran to its first notify: 24589, ready",
  );
  await stage.request("POST", "/v1/guests/hello/interrupts", { json: { line: 1 } });
  hold(await run(stage, "hello", headers) === "1", "an interrupt was delivered and counted");
  await setState(stage, "hello", "paused", headers);
  const snapshot = await stage.request("POST", "/v1/guests/hello/snapshots", { headers });
  hold(snapshot.status === 201, "it is paused and snapshotted");
  return snapshot.body.id;
}

/** Clones a snapshot twice, each with a scope of its own, and returns the owners of both. */
export async function cloneTwice(stage: Stage, snapshot: string): Promise<readonly Owner[]> {
  say("\n# Two clones of one snapshot: each bumps its own scope.");
  const owners: Owner[] = [];
  for (const name of ["clone-1", "clone-2"]) {
    const { body } = await stage.request("POST", "/v1/guests", { json: { name, snapshot } });
    owners.push({ "innkeeper-owner": body.ownerToken });
  }
  const one = await stage.request("GET", "/v1/scopes/clone-1");
  const other = await stage.request("GET", "/v1/scopes/clone-2");
  hold(one.body.unique !== other.body.unique, "the clones have different identities");
  return owners;
}

/** Runs one clone to its next event, and the other in the background. */
export async function runClones(
  stage: Stage,
  [owner = {}, other = {}]: readonly Owner[],
): Promise<void> {
  say("\n# The clone itself sees its own generation before its first instruction.");
  await stage.request("POST", "/v1/guests/clone-1/interrupts", { json: { line: 1 } });
  const count = await run(stage, "clone-1", owner);
  hold(count === "2", "it goes on counting where the snapshot was taken");
  const register = "/v1/guests/clone-1/registers/cx";
  const { body: { value } } = await stage.request("GET", register, { headers: owner });
  const scope = await stage.client.request<{ generation: number }>("GET", "/v1/scopes/clone-1");
  hold(value === String(scope.body.generation), "it read its generation from its data page");

  say("\n# The other clone runs in the background; a channel counts what it notifies.");
  // The snapshot was taken after 1, so the next count that it notifies is 2. A notify of an address
  // with a channel is counted and does not end the run.
  await stage.request("PUT", "/v1/guests/clone-2/channels/2");
  await setState(stage, "clone-2", "running", other);
  await stage.request("POST", "/v1/guests/clone-2/interrupts", { json: { line: 1 } });
  const drained = await stage.request("POST", "/v1/guests/clone-2/channels/2/drain", {
    headers: { prefer: "wait=5" },
  });
  hold(drained.body.count === 1, "its notify was counted while it went on");
  const paused = await setState(stage, "clone-2", "paused", other);
  hold(paused.body.state === "paused", "it is paused in the middle of its run");
}

async function run(stage: Stage, name: string, headers: Owner): Promise<string> {
  const path = `/v1/guests/${name}/runs`;
  return (await stage.request("POST", path, { json: { budgetMs: 5000 }, headers })).body.value;
}

/** Asks for a state of a guest, as its owner. */
export async function setState(
  stage: Stage,
  name: string,
  state: string,
  headers: Owner = {},
): Promise<Answer> {
  return await stage.request("PUT", `/v1/guests/${name}/state`, { json: { state }, headers });
}

/** The part alone. */
export async function playGuests(stage: Stage): Promise<void> {
  const { id } = await openImage(stage);
  await runClones(stage, await cloneTwice(stage, await bootAndSnapshot(stage, id)));
}
