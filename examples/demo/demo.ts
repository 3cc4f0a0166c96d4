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
import { playLinux } from "./linux.ts";
import { say, Stage } from "./stage.ts";

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
  await playLinux(stage);
}

async function demo(part: string | undefined): Promise<void> {
  const play = part === undefined ? playAll : PARTS[part];
  if (play === undefined) {
    throw new Error(`there is no part "${part}"; the parts are ${Object.keys(PARTS).join(", ")}`);
  }
  await using stage = await Stage.open();
  await play(stage);
  say("\nEvery step held.");
}

if (import.meta.main) {
  demo(Deno.args[0]).catch((error) => {
    say(`\n✗ ${(error as Error).message}`);
    Deno.exit(1);
  });
}
