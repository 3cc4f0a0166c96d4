import type { GuestEngine, Rings } from "../../core/ports/guest_engine.ts";
import type { PcDevices, SerialLine } from "../../core/ports/pc_devices.ts";
import type { Answer, Call } from "./calls.ts";

/** What the engine has its Worker do, under the names of the port. */
export type EngineCalls = Omit<
  GuestEngine,
  "name" | "interrupt" | "raise" | "onNotified" | "serve" | "close"
>;

/** What the devices of a guest have the host's thread do. */
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
  /** What the guest wrote to a serial line was taken. */
  | { readonly signal: "heard"; readonly line: SerialLine }
  /** A device call was done. */
  | { readonly signal: "served"; readonly answer: Answer };

/** A message from the Worker. */
export type FromWorker =
  | { readonly answer: Answer }
  | { readonly rings: Rings }
  | { readonly line: SerialLine; readonly written: Uint8Array<ArrayBuffer> }
  | { readonly request: Call<DeviceCalls> };
