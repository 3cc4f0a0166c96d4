/**
 * `deno task demo`: the main job on real input. A guest is booted, snapshotted and cloned; the
 * watchers of the clone's scope are notified; the barrier opens when the last one has confirmed.
 * `deno task demo PART` plays one part of it alone.
 *
 * @module
 */
import { playDevices, showDevices } from "./devices.ts";
import { allNotified, playGenerations, settle, watchScope } from "./generations.ts";
import { bootAndSnapshot, cloneTwice, playGuests, runClones } from "./guests.ts";
import { openImage } from "./inodes.ts";
import { linuxImages, playLinux } from "./linux.ts";
import { say, Stage } from "./stage.ts";

const PROGRAMS = new URL("../guests", import.meta.url).pathname;

/** The parts by the names that they are played by. */
const PARTS: Readonly<Record<string, (stage: Stage) => Promise<unknown>>> = {
  generations: playGenerations,
  devices: playDevices,
  inodes: openImage,
  guests: playGuests,
  linux: playLinux,
};

async function playAll(stage: Stage): Promise<void> {
  const image = await openImage(stage);
  await showDevices(stage, image);
  const snapshot = await bootAndSnapshot(stage, image.id);
  say("\n# Three programs watch the scope of the clone that is to come.");
  const watchers = await watchScope(stage, "clone-1");
  const clones = await cloneTwice(stage, snapshot);
  const notices = await allNotified(watchers, "clone");
  await runClones(stage, clones);
  await settle(stage, "clone-1", watchers, notices);
}

async function demo(part: string | undefined): Promise<void> {
  if (part !== undefined && !Object.hasOwn(PARTS, part)) {
    throw new Error(`there is no part "${part}"; the parts are ${Object.keys(PARTS).join(", ")}`);
  }
  const images = part === undefined || part === "linux" ? await linuxImages() : undefined;
  await using _images = typeof images === "object" ? images : undefined;
  const roots = typeof images === "object" ? [`linux=${images.folder}:ro`] : [];
  await using stage = await Stage.open([`images=${PROGRAMS}:ro`, ...roots]);
  if (part !== "linux") await (PARTS[part ?? ""] ?? playAll)(stage);
  if (typeof images === "string") say(`\n# Linux guests are left out: ${images}.`);
  if (typeof images === "object") await playLinux(stage);
  say("\nEvery step held.");
}

if (import.meta.main) {
  demo(Deno.args[0]).catch((error) => {
    say(`\n✗ ${(error as Error).message}`);
    Deno.exit(1);
  });
}
