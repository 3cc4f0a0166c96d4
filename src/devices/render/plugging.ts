import type { BlockDrive, HostDevice } from "../host/host_device.ts";
import type { Rendering, Step } from "./rendering.ts";

/** Why a hypervisor cannot take a device. `render()` adds which device and which hypervisor. */
export class Refusal extends Error {}

/** @throws {Refusal} always */
export function refuse(why: string): never {
  throw new Refusal(why);
}

/** The part of a device that its kind has for certain. */
export function part<Part>(value: Part | undefined): Part {
  if (value === undefined) throw new Error("a device lacks the part of its kind");
  return value;
}

/**
 * Of our hypervisors, only QEMU emulates the channel subsystem of IBM Z.
 *
 * @throws {Refusal}
 */
export function requireNoChannelDevice({ driver }: BlockDrive): void {
  if (driver === "virtio-blk-ccw") refuse("it has no channel devices");
}

/**
 * Only QEMU has SCSI disks. Kata's default driver is virtio-scsi, so a drive that nobody asked to be
 * one becomes a virtio-blk disk, and the notes say so.
 *
 * @throws {Refusal} when it was asked for
 */
export function scsiNotes({ block, info }: HostDevice): readonly string[] {
  const driver = "virtio-scsi";
  if (block?.driver !== driver) return [];
  if (info.driverOptions?.["block-driver"] === driver) refuse("it has no SCSI disks");
  return [
    "it has no SCSI disks: the guest sees a virtio-blk disk, without the drive's SCSI address",
  ];
}

/** What to know of a drive whose hypervisor lets nobody choose what becomes of flushes. */
export function flushNotes({ cacheType }: BlockDrive): readonly string[] {
  return cacheType === "unsafe" ? ["it flushes always: cacheType unsafe makes no difference"] : [];
}

/** A step, and the one that takes it back. */
interface Move {
  readonly step: Step;
  /** `undefined` where the hypervisor cannot take it back. */
  readonly undo: Step | undefined;
}

/** Plugs a device while the hypervisor runs; its steps are taken back in reverse order. */
export function hot(
  moves: readonly Move[],
  notes: readonly string[],
  commandLine?: readonly string[],
): Rendering {
  return {
    plug: "hot",
    steps: moves.map(({ step }) => step),
    undo: moves.flatMap(({ undo }, undoes) => undo === undefined ? [] : [{ ...undo, undoes }])
      .reverse(),
    waitFor: [],
    ...(commandLine === undefined ? {} : { commandLine }),
    notes,
  };
}

/** Plugs a device in one step before the guest starts; nothing takes that back. */
export function cold(step: Step, notes: readonly string[] = []): Rendering {
  const commandLine = step.type === "arguments" ? { commandLine: step.arguments } : {};
  return { plug: "cold", steps: [step], undo: [], waitFor: [], ...commandLine, notes };
}

/** Plugs a device by arguments of the hypervisor's own command line. */
export function coldArguments(args: readonly string[], notes: readonly string[] = []): Rendering {
  return cold({ type: "arguments", arguments: args }, notes);
}
