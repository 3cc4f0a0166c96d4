import type { RegisterChanges, Registers } from "../../core/ports/guest_registers.ts";
import type {
  GuestExit,
  GuestIdentity,
  GuestImage,
  GuestStart,
  Rings,
} from "../../core/ports/guest_engine.ts";
import type { SerialLine } from "../../core/ports/pc_devices.ts";

/** What the engine asks its Worker, and what each is answered with. */
export interface Calls {
  initialize: { ask: { start: GuestStart }; answer: undefined };
  restore: { ask: { image: GuestImage; identity: GuestIdentity }; answer: undefined };
  run: { ask: { budgetMs: number }; answer: GuestExit };
  registers: { ask: Record<never, never>; answer: Registers };
  setRegisters: { ask: { changes: RegisterChanges }; answer: undefined };
  read: { ask: { at: number; length: number }; answer: Uint8Array<ArrayBuffer> };
  write: { ask: { at: number; bytes: Uint8Array }; answer: undefined };
  capture: { ask: Record<never, never>; answer: GuestImage };
  attach: { ask: { address: number }; answer: undefined };
  detach: { ask: { address: number }; answer: undefined };
  identify: { ask: { identity: GuestIdentity }; answer: undefined };
  send: { ask: { line: SerialLine; bytes: Uint8Array }; answer: undefined };
}

/** Calls that do not wait for a run to end. */
export const URGENT: ReadonlySet<CallName> = new Set(["attach", "detach", "identify", "send"]);

/** The name of a call. */
export type CallName = keyof Calls;

/** A call that is answered once, with the same id. */
export type Call = {
  [Name in CallName]: { id: number; call: Name } & Calls[Name]["ask"];
}[CallName];

/**
 * A message that is not answered. `run` names the run to end, so that a later one goes on; `heard`
 * says that what was told of a serial line was taken; `served` answers an {@linkcode Asked}.
 */
export type Signal =
  | { signal: "interrupt"; run: number }
  | { signal: "raise"; line: number }
  | { signal: "heard"; line: SerialLine }
  | { signal: "served"; id: number; bytes?: Uint8Array<ArrayBuffer>; error?: string };

/** An answer of the Worker: `value`, or what went wrong. */
export type Answer =
  | { id: number; value: Calls[CallName]["answer"] }
  | { id: number; error: string };

/** What the Worker tells without being asked. */
export type Told =
  | { readonly rings: Rings }
  | { readonly line: SerialLine; readonly written: Uint8Array<ArrayBuffer> }
  | Asked;

/** What a device of the guest asks of the host; it is answered once, by a signal. */
export type DeviceAsk =
  | { readonly device: "9p"; readonly message: Uint8Array<ArrayBuffer> }
  | { readonly device: "read"; readonly disk: number; readonly at: number; readonly length: number }
  | {
    readonly device: "write";
    readonly disk: number;
    readonly at: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }
  | { readonly device: "flush"; readonly disk: number };

/** A {@linkcode DeviceAsk} on its way. */
export interface Asked {
  readonly asked: number;
  readonly ask: DeviceAsk;
}
