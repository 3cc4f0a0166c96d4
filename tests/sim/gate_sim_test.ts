import { assert, assertRejects } from "@std/assert";
import { Confirmations } from "../../src/generations/confirmations.ts";
import { Scope } from "../../src/generations/scope.ts";
import { testSeed } from "../support/random.ts";
import { liveThroughMany } from "./gate.ts";
import { Broken } from "./world.ts";

const WORLDS = 2_000;
/** A canary lives until it is found, which takes a few worlds as a rule. */
const CANARY_WORLDS = 2_000;

/**
 * Lives through worlds in which a promise is broken on purpose.
 *
 * @param whats Parts of what is said then, of which one must be; any of the promises without them
 */
async function finds(...whats: readonly string[]): Promise<void> {
  const { message } = await assertRejects(
    () => liveThroughMany(testSeed(), CANARY_WORLDS),
    Broken,
  );
  assert(whats.length === 0 || whats.some((what) => message.includes(what)), message);
}

Deno.test("gate simulator: no barrier opens early or stays shut, whatever crashes, comes back, or is cloned", async () => {
  const seed = testSeed();
  const counts = await liveThroughMany(seed, WORLDS);
  const said = JSON.stringify({ seed, counts });
  // A world in which nothing happens proves nothing.
  assert(counts.bumps > 2 * WORLDS && counts.opened > WORLDS && counts.restarts > WORLDS / 2, said);
  assert(counts.clones > WORLDS / 2 && counts.superseded > WORLDS / 5, said);
  assert(counts.releases > WORLDS / 5 && counts.quiesced > WORLDS / 10, said);
});

Deno.test("gate simulator canary (a): a return that removes its predecessor is found", async () => {
  const { resume } = Scope.prototype;
  Scope.prototype.resume = function (id, change, nowNs) {
    resume.call(this, id, change, nowNs);
  };
  try {
    await finds();
  } finally {
    Scope.prototype.resume = resume;
  }
});

Deno.test("gate simulator canary (a): a clone that is believed to have adapted is found", async () => {
  const { resume } = Scope.prototype;
  Scope.prototype.resume = function (id, change, nowNs, supersededId) {
    resume.call(this, id, { ...change, isUpToDate: true }, nowNs, supersededId);
    const watcher = this.watcher(id) as { ackedEpoch: bigint };
    watcher.ackedEpoch = this.epoch;
  };
  try {
    await finds("adapted to");
  } finally {
    Scope.prototype.resume = resume;
  }
});

Deno.test("gate simulator canary (a): somebody who is excused and not named is found", async () => {
  const { leaveUnconfirmed } = Confirmations.prototype;
  Confirmations.prototype.leaveUnconfirmed = () => {};
  try {
    await finds("the barrier opened");
  } finally {
    Confirmations.prototype.leaveUnconfirmed = leaveUnconfirmed;
  }
});

Deno.test("gate simulator canary (b): a barrier that a dead predecessor keeps shut is found", async () => {
  const { release } = Scope.prototype;
  Scope.prototype.release = function (id, nowNs, why) {
    return why === "dead" ? undefined : release.call(this, id, nowNs, why);
  };
  try {
    // What a world sees first depends on its seed. Both are the promise that this breaks.
    await finds("proven dead", "stays shut");
  } finally {
    Scope.prototype.release = release;
  }
});

Deno.test("gate simulator canary (b): a release that does not open the barrier is found", async () => {
  const { release } = Scope.prototype;
  Scope.prototype.release = function (id, nowNs, why) {
    const watcher = this.watcher(id);
    const settled = release.call(this, id, nowNs, why);
    if (watcher.presence === "lost") this.add(watcher);
    return settled;
  };
  try {
    await finds("stays shut");
  } finally {
    Scope.prototype.release = release;
  }
});

Deno.test("gate simulator canary: an answer to a quiesce that is over is found when it counts", async () => {
  const { markQuiesced } = Scope.prototype;
  Scope.prototype.markQuiesced = function (id, _quiesce, inability) {
    markQuiesced.call(this, id, undefined, inability);
  };
  try {
    await finds("did not stand still");
  } finally {
    Scope.prototype.markQuiesced = markQuiesced;
  }
});
