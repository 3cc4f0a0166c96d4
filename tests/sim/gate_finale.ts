import { matchesPattern } from "../../src/generations/expectations.ts";
import type { Watcher } from "../../src/generations/watcher.ts";
import type { GateLife } from "./gate_life.ts";
import { type GateWorld, LEASE_MS } from "./gate_world.ts";
import type { Program } from "./program.ts";
import { Broken } from "./world.ts";

/**
 * The end of a world: nothing goes wrong any more, all that live confirm, and every expectation is
 * met. The barrier must open by itself within the leases, or after exactly one call of an operator
 * for each watcher that nobody stands behind.
 */
export async function finale(world: GateWorld, life: GateLife): Promise<void> {
  life.calmDown();
  world.killDaemonIn(Infinity);
  // Whatever was on its way comes now.
  await pass(world, 4 * LEASE_MS);
  await world.scope.unquiesce("finale");
  await fillExpectations(world);
  for (let round = 0; round < 2; round++) await confirmAll(world, life);
  await pass(world, 4 * LEASE_MS);
  const { state } = world.scope;
  const isExpected = ({ name }: Watcher): boolean =>
    state.options.expect.some((pattern) => matchesPattern(pattern, name));
  const isLate = (watcher: Watcher): boolean => watcher.tracked && state.isOutdated(watcher);
  const ghosts = [...state.watchers].filter((watcher) =>
    isLate(watcher) || (isExpected(watcher) && !state.hasConfirmed(watcher))
  );
  for (const ghost of ghosts) requireGhost(world, ghost);
  for (const ghost of ghosts) {
    // Whoever is expected is missed although it is lost.
    if (state.options.onLost === "open" && !isExpected(ghost)) continue;
    world.oracle.mayGo(ghost.id);
    await world.scope.watchers.release(ghost.id);
  }
  // Whoever left without confirming is missed until somebody says whom to expect from now on.
  if (state.unmet().broken.length > 0) await world.scope.configure(world.options);
  await requireOpen(world, ghosts);
}

async function pass(world: GateWorld, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    world.clock.advance(1_000);
    await world.settle();
  }
  // What waits for a digest is not done by then.
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  await world.settle();
  world.check();
}

async function fillExpectations(world: GateWorld): Promise<void> {
  const { expect } = world.options;
  const names = [...expect.map((pattern) => pattern.replace("*", "1")), "app"];
  for (const name of names) {
    if (world.living.some((one) => matchesPattern(name, one.name))) continue;
    world.begin(name, false, {}, -1n);
  }
  await world.settle();
}

async function confirmAll(world: GateWorld, life: GateLife): Promise<void> {
  for (const program of world.living) {
    await life.connect(program);
    // Everything that was sent is read, and then exactly the current generation is confirmed.
    for (let n = 0; n < 8; n++) life.read(program);
    const { generation, epoch } = world.scope.state;
    program.memory.todo = { generation, epoch };
    await life.confirm(program);
    // An operator gave its watcher up: it has to register anew.
    if (program.acked !== epoch) await life.renew(program);
    world.check();
  }
}

/** Only a watcher that nobody stands behind any more may still be waited for. */
function requireGhost(world: GateWorld, watcher: Watcher): void {
  const { id, presence, peer, supersededBy } = watcher;
  const holder = world.oracle.holder(id);
  if (presence === "connected") {
    throw new Broken(`${id} of ${nameOf(holder)} is connected and waited for, and all confirmed`);
  }
  if (supersededBy !== undefined && peer !== undefined && world.processes.isGone(peer)) {
    throw new Broken(`${id} of ${nameOf(holder)} is proven dead, and still waited for`);
  }
}

function nameOf(program: Program | undefined): string {
  return program === undefined ? "nobody" : `${program.name}#${program.id}`;
}

async function requireOpen(world: GateWorld, ghosts: readonly Watcher[]): Promise<void> {
  const opened = world.counts.opened;
  await world.barrier(0);
  world.check();
  if (world.counts.opened > opened) return;
  const { state } = world.scope;
  const late = [...state.late()].map(({ id, name, presence }) => `${id} ${name} ${presence}`);
  throw new Broken(
    `the barrier stays shut at epoch ${state.epoch} after ${ghosts.length} ghosts: ` +
      `late ${late.join(", ") || "nobody"}; unmet ${JSON.stringify(state.unmet())}`,
  );
}
