/**
 * `deno task demo`: the main job on real input. A guest is booted, snapshotted and cloned; the
 * watchers of the clone's scope are told; the barrier opens when the last one has confirmed.
 *
 * @module
 */
import { linuxImages, playLinux } from "./linux.ts";
import { hold, say, Stage } from "./stage.ts";

const PROGRAMS = new URL("../guests", import.meta.url).pathname;
/** Where hello.bin is loaded and starts; see its source. */
const HELLO_AT = "4096";
const HELLO_READY = "24589";

async function demo(): Promise<void> {
  const images = await linuxImages();
  await using _images = typeof images === "string" ? undefined : images;
  const roots = typeof images === "string" ? [] : [`linux=${images.folder}:ro`];
  await using stage = await Stage.open([`images=${PROGRAMS}:ro`, ...roots]);
  const image = await openImage(stage);
  await showDevices(stage, image);
  const snapshot = await bootAndSnapshot(stage, image.id);
  await cloneAndSettle(stage, snapshot);
  if (typeof images === "string") say(`\n# Linux guests are left out: ${images}.`);
  else await playLinux(stage);
  say("\nEvery step held.");
}

interface Image {
  readonly id: string;
  readonly device: string;
  readonly inode: string;
}

async function openImage(stage: Stage): Promise<Image> {
  say("\n# The guest's image is opened below a named root and read through the inode cache.");
  const opened = await stage.ask("POST", "/v1/inodes", {
    json: { root: "images", path: "hello.bin", access: "ro", cache: "own", holder: "demo" },
  });
  hold(opened.status === 201, "the image is open");
  const head = await stage.ask("GET", `/v1/inodes/${opened.body.id}/data`, {
    headers: { range: "bytes=0-15" },
  });
  hold(head.status === 206 && head.body.byteLength === 16, "its first 16 bytes are read");
  return opened.body;
}

async function showDevices(stage: Stage, image: Image): Promise<void> {
  say(
    "\n# The image's host inode gets a virtual number that stays; a device of this host is resolved.",
  );
  const device = await stage.ask("POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  hold(device.status === 201, "an anonymous device is registered");
  const mappings = `/v1/devices/${device.body.id}/mappings`;
  const json = { keys: [{ device: image.device, inode: image.inode }] };
  const first = await stage.ask("POST", mappings, { json });
  const again = await stage.ask("POST", mappings, { json });
  hold(
    first.body.items[0].virtualInode === again.body.items[0].virtualInode,
    "the same host inode has the same virtual inode",
  );
  const resolved = await stage.ask("POST", "/v1/devices/resolve", {
    json: { containerPath: "/dev/null", type: "c", major: 1, minor: 3 },
  });
  hold(resolved.body.hostPath === "/dev/null", "character device 1:3 is /dev/null in sysfs");
}

async function bootAndSnapshot(stage: Stage, inode: string): Promise<string> {
  say("\n# A real 32-bit program boots from that image on the v86 engine.");
  const made = await stage.ask("POST", "/v1/guests", {
    json: {
      name: "hello",
      bare: { pfnLimit: 16, start: HELLO_AT, load: [{ at: HELLO_AT, inode }] },
    },
  });
  hold(made.status === 201, "the guest is ready");
  const owner = { "innkeeper-owner": made.body.ownerToken };
  const run = (): ReturnType<Stage["ask"]> =>
    stage.ask("POST", "/v1/guests/hello/runs", { json: { budgetMs: 5000 }, headers: owner });
  const booted = await run();
  hold(booted.body.value === HELLO_READY, "it ran to its first notify: 24589, ready");
  await stage.ask("POST", "/v1/guests/hello/interrupts", { json: { line: 1 } });
  hold((await run()).body.value === "1", "an interrupt was delivered and counted");
  await stage.ask("PUT", "/v1/guests/hello/state", { json: { state: "paused" }, headers: owner });
  const snapshot = await stage.ask("POST", "/v1/guests/hello/snapshots", { headers: owner });
  hold(snapshot.status === 201, "it is paused and snapshotted");
  return snapshot.body.id;
}

async function cloneAndSettle(stage: Stage, snapshot: string): Promise<void> {
  const scope = "/v1/scopes/clone-1";
  say("\n# Three programs watch the scope of the clone that is to come.");
  await stage.ask("PUT", scope, { json: {} });
  const [app, cache, sidecar] = [
    await stage.watcher("clone-1", "app"),
    await stage.watcher("clone-1", "cache"),
    await stage.watcher("clone-1", "sidecar"),
  ];
  say("\n# Two clones of one snapshot: each bumps its own scope.");
  const clones = [];
  for (const name of ["clone-1", "clone-2"]) {
    clones.push(await stage.ask("POST", "/v1/guests", { json: { name, snapshot } }));
  }
  const one = await stage.ask("GET", "/v1/scopes/clone-1");
  const other = await stage.ask("GET", "/v1/scopes/clone-2");
  hold(one.body.unique !== other.body.unique, "the clones have different identities");
  const told = await Promise.all([app, cache, sidecar].map((one) => one.next("generation")));
  hold(told.every(({ reason }) => reason === "clone"), "all three watchers were told: clone");
  const [forApp, forCache, forSidecar] = told as [typeof told[0], typeof told[0], typeof told[0]];

  say("\n# The clone itself sees its own generation before its first instruction.");
  const owner = { "innkeeper-owner": clones[0]?.body.ownerToken };
  await stage.ask("POST", "/v1/guests/clone-1/interrupts", { json: { line: 1 } });
  const ran = await stage.ask("POST", "/v1/guests/clone-1/runs", {
    json: { budgetMs: 5000 },
    headers: owner,
  });
  hold(ran.body.value === "2", "it goes on counting where the snapshot was taken");
  const seen = await stage.ask("GET", "/v1/guests/clone-1/registers/cx", { headers: owner });
  hold(
    seen.body.value === String(forApp["generation"]),
    "it read its generation from its data page",
  );

  say("\n# The other clone runs in the background; a channel counts what it notifies.");
  await countInBackground(stage, { "innkeeper-owner": clones[1]?.body.ownerToken });

  say("\n# Two confirm; the barrier names the third.");
  await app.confirm(forApp);
  await cache.confirm(forCache);
  const late = await stage.ask("GET", `${scope}/barrier`, { headers: { prefer: "wait=1" } });
  const names = late.body.watchers.map(({ name }: { name: string }) => name).join();
  hold(late.status === 409 && names === "sidecar", "409: sidecar is late");
  await sidecar.confirm(forSidecar);
  const open = await stage.ask("GET", `${scope}/barrier`, { headers: { prefer: "wait=10" } });
  hold(open.status === 204, "204: safe to route");
  for (const { socket } of [app, cache, sidecar]) socket.close();
}

/** Notifies of an address that is attached count, and no longer end the run. */
async function countInBackground(stage: Stage, owner: Record<string, string>): Promise<void> {
  const guest = "/v1/guests/clone-2";
  // The next count that it notifies is 2: the snapshot was taken after 1.
  await stage.ask("PUT", `${guest}/channels/2`);
  await stage.ask("PUT", `${guest}/state`, { json: { state: "running" }, headers: owner });
  await stage.ask("POST", `${guest}/interrupts`, { json: { line: 1 } });
  const drained = await stage.ask("POST", `${guest}/channels/2/drain`, {
    headers: { prefer: "wait=5" },
  });
  hold(drained.body.count === 1, "its notify was counted while it went on");
  const paused = await stage.ask("PUT", `${guest}/state`, {
    json: { state: "paused" },
    headers: owner,
  });
  hold(paused.body.state === "paused", "it is paused in the middle of its run");
}

if (import.meta.main) {
  demo().catch((error) => {
    say(`\n✗ ${(error as Error).message}`);
    Deno.exit(1);
  });
}
