import { Fault } from "../core/faults.ts";
import type { GuestEngine, GuestIdentity } from "../core/ports/guest_engine.ts";
import type { DiskParts, GuestFiles, Share } from "../core/ports/guest_files.ts";
import { type EngineName, type EnginePorts, makeEngine } from "./engines.ts";
import { type Linux, startOfLinux } from "./linux/linux.ts";
import { LinuxMachine } from "./linux/linux_machine.ts";
import type { MachineImage } from "./linux/machine_image.ts";
import { type Program, startOfProgram } from "./program.ts";
import type { SnapshotHead } from "./snapshots/snapshot.ts";
import type { Snapshots } from "./snapshots/snapshots.ts";

/**
 * A guest that a caller wants. Exactly one of `bare`, `linux` and `snapshot` says what it begins
 * from.
 */
export interface CreateGuest {
  /** Its id; a fresh one when there is none. */
  readonly name?: string | undefined;
  readonly engine: EngineName;
  /** The scope whose generation it shows; one of its own name when there is none. */
  readonly scope?: string | undefined;
  /** How long it outlives the last sign of its owner, in milliseconds; for ever when not given. */
  readonly leaseMs?: number | undefined;
  readonly bare?: Program | undefined;
  readonly linux?: Linux | undefined;
  /** Id of the snapshot to clone. */
  readonly snapshot?: string | undefined;
}

/** The scope that a guest has entered, and what the guest is shown of it. */
export interface EnteredScope {
  readonly scope: string;
  readonly identity: GuestIdentity;
}

/** What is needed to make a guest. */
interface CreateParts extends EnginePorts {
  readonly files: GuestFiles;
  readonly snapshots: Snapshots;
  /** @throws {Fault} `memory-exhausted` */
  readonly reserve: (bytes: number) => void;
  /** @param original What the snapshot of a clone says of itself */
  readonly enterScope: (original?: SnapshotHead) => Promise<EnteredScope>;
  /** Closes what was made when the guest is not made after all. */
  readonly undo: DisposableStack;
}

/** A guest on its engine that has not run yet. */
export interface MadeGuest extends EnteredScope {
  readonly memoryBytes: number;
  readonly engine: GuestEngine;
  /** What the devices of a Linux guest lead to. */
  readonly machine?: LinuxMachine | undefined;
}

/**
 * Makes an engine with the wanted guest on it. Everything is read, opened and checked before the
 * scope is entered, so that a request that is refused does not change the scope.
 *
 * @throws {Fault} as {@linkcode Guests.create}
 */
export function makeGuest(
  id: string,
  command: CreateGuest,
  parts: CreateParts,
): Promise<MadeGuest> {
  const { engine, bare, linux, snapshot = "" } = command;
  if (bare !== undefined) return startProgram(bare, engine, parts);
  if (linux !== undefined) return bootLinux(id, linux, engine, parts);
  return cloneSnapshot(id, snapshot, engine, parts);
}

async function startProgram(
  program: Program,
  engine: EngineName,
  parts: CreateParts,
): Promise<MadeGuest> {
  const start = await startOfProgram(program, parts.files);
  const { memoryBytes } = start;
  parts.reserve(memoryBytes);
  const entered = await parts.enterScope();
  const { identity } = entered;
  const prepare = (made: GuestEngine) => made.initialize({ ...start, identity });
  return { ...entered, memoryBytes, engine: await engineFor(engine, prepare, parts) };
}

async function bootLinux(
  id: string,
  linux: Linux,
  engine: EngineName,
  parts: CreateParts,
): Promise<MadeGuest> {
  const { files } = parts;
  const { pc, ...start } = await startOfLinux(linux, files);
  const { memoryBytes } = start;
  parts.reserve(memoryBytes);
  const share = linux.share && files.share(linux.share.root);
  const machine = machineOf(await files.openDisks(id, linux.disks), share, parts);
  const entered = await parts.enterScope();
  const { identity } = entered;
  const prepare = async (made: GuestEngine) => {
    machine.plugInto(made);
    await made.initialize({ ...start, identity, pc: { ...pc, disks: machine.diskShapes } });
  };
  return { ...entered, memoryBytes, machine, engine: await engineFor(engine, prepare, parts) };
}

async function cloneSnapshot(
  id: string,
  snapshotId: string,
  engine: EngineName,
  parts: CreateParts,
): Promise<MadeGuest> {
  const { files, snapshots } = parts;
  using snapshot = await snapshots.open(snapshotId);
  const { head } = snapshot;
  const { memoryBytes } = head;
  if (engine !== "auto" && engine !== head.engine) {
    throw new Fault(
      "value-not-allowed",
      `Cannot clone snapshot "${snapshotId}" on ${engine}: it was taken on ${head.engine}`,
    );
  }
  parts.reserve(memoryBytes);
  let machine: LinuxMachine | undefined;
  if (head.machine !== undefined) {
    const { disks, share: root } = head.machine;
    const share = root === undefined ? undefined : files.share(root);
    machine = machineOf(await files.reopenDisks(id, disks), share, parts);
  }
  const entered = await parts.enterScope(head);
  let saved: MachineImage | undefined;
  const prepare = async (made: GuestEngine) => {
    // The Worker of the engine starts up while the snapshot is read.
    const decoded = await snapshot.guest();
    saved = decoded.machine;
    machine?.plugInto(made);
    await made.restore(decoded.image, entered.identity);
  };
  const made = await engineFor(head.engine as EngineName, prepare, parts);
  // Not in prepare(): disks may take longer than an engine may, and the guest has not run yet.
  if (saved !== undefined) await machine?.restore(saved);
  return { ...entered, memoryBytes, machine, engine: made };
}

function machineOf(
  disks: readonly DiskParts[],
  share: Share | undefined,
  { undo }: CreateParts,
): LinuxMachine {
  return undo.adopt(new LinuxMachine({ disks, share }), (machine) => machine.close());
}

async function engineFor(
  name: EngineName,
  prepare: (engine: GuestEngine) => Promise<void>,
  parts: CreateParts,
): Promise<GuestEngine> {
  const engine = await makeEngine(parts, name, prepare);
  return parts.undo.adopt(engine, () => engine.close());
}
