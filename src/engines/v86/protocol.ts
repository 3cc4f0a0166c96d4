import type { GuestEngine, Rings } from "../../core/ports/guest_engine.ts";
import type { PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import type { Answer, Call } from "./calls.ts";

/** Methods of the port that the Worker does. */
export type EngineCalls = Omit<
  GuestEngine,
  "name" | "interrupt" | "raise" | "onNotified" | "serve" | "close"
>;

/** Methods that the devices of a guest call on the host's thread. */
export type DeviceCalls = Omit<PcDevices, "written">;

/** Calls that do not wait for a run to end. */
export const URGENT: ReadonlySet<keyof EngineCalls> = new Set([
  ...["attach", "detach", "identify", "send"] as const,
]);

/** A message to the Worker that is not answered. */
export type Signal =
  /** Ends one run, by its number, so that a later one goes on. */
  | { readonly signal: "interrupt"; readonly run: number }
  | { readonly signal: "raise"; readonly line: number }
  /** The host has taken what the guest wrote to a serial line. */
  | { readonly signal: "heard"; readonly line: SerialLine }
  /** Answers a device call. */
  | { readonly signal: "served"; readonly answer: Answer };

/** A message from the Worker. */
export type FromWorker =
  | { readonly answer: Answer }
  | { readonly rings: Rings }
  | { readonly line: SerialLine; readonly written: Uint8Array<ArrayBuffer> }
  | { readonly request: Call<DeviceCalls> };
