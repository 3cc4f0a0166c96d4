import { Fault } from "../../core/faults.ts";
import type { BlockDrive, HostDevice } from "../host/host_device.ts";

/** The hypervisors that a device can be rendered for. */
export const HYPERVISORS = [
  "firecracker",
  "cloud-hypervisor",
  "qemu",
  "libkrun",
  "crosvm",
] as const;

/** One of them. */
export type Hypervisor = typeof HYPERVISORS[number];

/** One thing to do with a hypervisor. */
export type Step =
  /** A request to its API socket. */
  | {
    readonly type: "http";
    readonly method: "PUT" | "DELETE";
    readonly path: string;
    readonly body?: Readonly<Record<string, unknown>>;
  }
  /** A command to QEMU's monitor. */
  | {
    readonly type: "qmp";
    readonly execute: string;
    readonly arguments: Readonly<Record<string, unknown>>;
  }
  /** Words of its own command line. */
  | { readonly type: "arguments"; readonly arguments: readonly string[] }
  /** Words of a second run of its program; `{socket}` stands for the control socket of the first. */
  | { readonly type: "command"; readonly arguments: readonly string[] }
  /** A call of its library: the arguments behind the context, in order. */
  | {
    readonly type: "call";
    readonly function: string;
    readonly arguments: Readonly<Record<string, string | number | boolean>>;
  };

/** A step back. */
export type UndoStep = Step & {
  /** Index of the step that it takes back. */
  readonly undoes: number;
};

/** What the hypervisor says when a step back is done: only then comes the next one. */
export interface WaitFor {
  /** Index of the step back that it belongs to. */
  readonly afterUndo: number;
  readonly event: string;
  readonly data: Readonly<Record<string, string>>;
}

/** How a device is plugged into a hypervisor and out of it. */
export interface Rendering {
  /** `hot`: while it runs; `cold`: before it starts. */
  readonly plug: "hot" | "cold";
  /** In this order. When one fails, play the steps back of those before it. */
  readonly steps: readonly Step[];
  /** In this order. */
  readonly undo: readonly UndoStep[];
  readonly waitFor: readonly WaitFor[];
  /** The same as words of the command line, for a hypervisor that is not started yet. */
  readonly commandLine?: readonly string[];
  /** What whoever plays it has to know. */
  readonly notes: readonly string[];
}

/** Where in the machine a device is to be plugged, as only its owner knows. */
export interface RenderOptions {
  /** A bus of the machine, such as `rp3` or `pci-bridge-0`. */
  readonly bus?: string | undefined;
  /** The slot on that bus. */
  readonly addr?: string | undefined;
}

/** @throws {Fault} `not-renderable`, always */
export function notRenderable(device: HostDevice, hypervisor: Hypervisor, why: string): never {
  throw new Fault(
    "not-renderable",
    `Cannot render device ${device.id} of kind ${device.kind} for ${hypervisor}: ${why}`,
    { members: { reason: why } },
  );
}

/** The part of a device that its kind has for certain. */
export function part<Part>(value: Part | undefined): Part {
  if (value === undefined) throw new Error("a device lacks the part of its kind");
  return value;
}

/** Image formats that hypervisors tell apart; any other word is a file system on a raw image. */
type ImageFormat = "raw" | "qcow2" | "vmdk" | "vhdx";

/** The image format of a drive. */
export function imageFormat({ format }: BlockDrive): ImageFormat {
  return format === "qcow2" || format === "vmdk" || format === "vhdx" ? format : "raw";
}
