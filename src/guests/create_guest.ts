import { Fault } from "../core/faults.ts";
import type { GuestEngine, GuestIdentity } from "../core/ports/guest_engine.ts";
import { type EngineName, type EnginePorts, makeEngine } from "./engines.ts";
import type { GuestKind } from "./guest/guest.ts";
import type { GuestSpec } from "./guest_spec.ts";
import { type Linux, startOfLinux } from "./linux/linux.ts";
import type { LinuxMachine } from "./linux/linux_machine.ts";
import type { MachineImage } from "./linux/machine_image.ts";
import { type Program, startOf } from "./program.ts";
import type { Snapshots } from "./snapshots/snapshots.ts";

/** A guest in the making. */
export interface Made {
  readonly kind: GuestKind;
  readonly engine: GuestEngine;
  readonly machine?: LinuxMachine;
}

/** What making a guest works with. */
export interface MakingParts {
  readonly ports: EnginePorts;
  readonly snapshots: Snapshots;
  /** @throws {Fault} `memory-exhausted` */
  readonly reserve: (id: string, bytes: number) => void;
}

/**
 * An engine with the guest that is wanted on it.
 *
 * @throws {Fault} as {@linkcode Guests.create}. Then nothing is left of the engine
 */
export function makeGuest(
  spec: GuestSpec,
  identity: GuestIdentity,
  machine: LinuxMachine,
  parts: MakingParts,
): Promise<Made> {
  const { from } = spec;
  if ("program" in from) return start(spec, from.program, identity, parts);
  if ("linux" in from) return boot(spec, from.linux, identity, machine, parts);
  return clone(spec, from.snapshot, identity, machine, parts);
}

async function start(
  { id, engine }: GuestSpec,
  program: Program,
  identity: GuestIdentity,
  { ports, reserve }: MakingParts,
): Promise<Made> {
  const start = startOf(program, identity);
  reserve(id, start.memoryBytes);
  const prepare = (made: GuestEngine): Promise<void> => made.initialize(start);
  return { kind: "bare", engine: await makeEngine(ports, engine, prepare) };
}

async function boot(
  { id, engine: name }: GuestSpec,
  linux: Linux,
  identity: GuestIdentity,
  machine: LinuxMachine,
  { ports, reserve }: MakingParts,
): Promise<Made> {
  const start = startOfLinux(linux, machine.diskShapes, identity);
  reserve(id, start.memoryBytes);
  const engine = await makeEngine(ports, name, async (made) => {
    machine.plugInto(made);
    await made.initialize(start);
  });
  return { kind: "linux", engine, machine };
}

async function clone(
  spec: GuestSpec,
  snapshot: string,
  identity: GuestIdentity,
  machine: LinuxMachine,
  { ports, snapshots, reserve }: MakingParts,
): Promise<Made> {
  const { memoryBytes, engine: name } = await snapshots.get(snapshot);
  if (spec.engine !== "auto" && spec.engine !== name) {
    throw new Fault(
      "value-not-allowed",
      `Cannot clone snapshot "${snapshot}" on ${spec.engine}: it was taken on ${name}`,
    );
  }
  reserve(spec.id, memoryBytes);
  let kept: MachineImage | undefined;
  // The engine starts up while the snapshot is read.
  const engine = await makeEngine(ports, name as EngineName, async (made) => {
    const decoded = await snapshots.image(snapshot);
    kept = decoded.machine;
    if (kept !== undefined) machine.plugInto(made);
    await made.restore(decoded.image, identity);
  });
  if (kept === undefined) return { kind: "bare", engine };
  try {
    // It has not run yet. Its disks may take longer than an engine may.
    await machine.restore(kept);
    return { kind: "linux", engine, machine };
  } catch (error) {
    engine.close();
    throw error;
  }
}
