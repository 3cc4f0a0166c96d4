/**
 * What a device is rendered to. This file imports nothing, so the wire can take its enums from
 * here.
 *
 * @module
 */

/** The hypervisors that a device can be rendered for. */
export const HYPERVISORS = [
  "firecracker",
  "cloud-hypervisor",
  "qemu",
  "libkrun",
  "crosvm",
] as const;

/** One of {@linkcode HYPERVISORS}. */
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
  /** Arguments of its own command line. */
  | { readonly type: "arguments"; readonly arguments: readonly string[] }
  /**
   * Arguments of a second run of its program; `{socket}` stands for the control socket of the
   * first.
   */
  | { readonly type: "command"; readonly arguments: readonly string[] }
  /** A call of its library. The arguments follow the context, in this order. */
  | {
    readonly type: "call";
    readonly function: string;
    readonly arguments: Readonly<Record<string, string | number | boolean>>;
  };

/** A step that takes another one back. */
export type UndoStep = Step & {
  /** Index of the step that it takes back. */
  readonly undoes: number;
};

/** What the hypervisor says when a step back is done. Play the next one only then. */
interface WaitFor {
  /** Index of the step back that it belongs to. */
  readonly afterUndo: number;
  readonly event: string;
  readonly data: Readonly<Record<string, string>>;
}

/** When a device can be plugged: while the hypervisor runs, or before it starts. */
export const PLUG_TIMES = ["hot", "cold"] as const;

/** How a device is plugged into a hypervisor and out of it. */
export interface Rendering {
  readonly plug: typeof PLUG_TIMES[number];
  /** In this order. When one fails, play the steps back of those before it. */
  readonly steps: readonly Step[];
  /** In this order. */
  readonly undo: readonly UndoStep[];
  readonly waitFor: readonly WaitFor[];
  /** The same as arguments of the command line, for a hypervisor that has not started yet. */
  readonly commandLine?: readonly string[];
  /** What whoever plays the steps has to know. */
  readonly notes: readonly string[];
}

/** Where in the machine a device is to be plugged, as only its owner knows. */
export interface RenderOptions {
  /** A bus of the machine, such as `rp3` or `pci-bridge-0`. */
  readonly bus?: string | undefined;
  /** The slot on that bus. */
  readonly addr?: string | undefined;
}
