import type { GuestIdentity } from "../../core/abi/data_page.ts";
import type { Rings } from "../../core/abi/doorbells.ts";
import type { RegisterChanges, Registers } from "../../core/abi/registers.ts";
import type { GuestExit, GuestImage, GuestStart } from "../../core/ports/guest_engine.ts";

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
}

/** Calls that do not wait for a run to end. */
export const URGENT: ReadonlySet<CallName> = new Set(["attach", "detach", "identify"]);

/** The name of a call. */
export type CallName = keyof Calls;

/** A call that is answered once, with the same id. */
export type Call = {
  [Name in CallName]: { id: number; call: Name } & Calls[Name]["ask"];
}[CallName];

/** A message that is not answered. `run` names the run to end, so that a later one goes on. */
export type Signal = { signal: "interrupt"; run: number } | { signal: "raise"; line: number };

/** An answer of the Worker: `value`, or what went wrong. */
export type Answer =
  | { id: number; value: Calls[CallName]["answer"] }
  | { id: number; error: string };

/** What the Worker tells without being asked. */
export type Told = { readonly rings: Rings };
