import type { RegisterName } from "../../core/ports/guest_registers.ts";

/**
 * A stopped 32-bit vCPU and its memory, as the ABI works on them. Addresses are guest-physical. The
 * ABI checks first that every access is within `memoryBytes`.
 */
export interface Vcpu {
  /** Memory that the guest was given, in bytes. */
  readonly memoryBytes: number;
  /** A copy of some memory. */
  read(at: number, length: number): Uint8Array<ArrayBuffer>;
  write(at: number, bytes: Uint8Array): void;
  readU32(at: number): number;
  writeU32(at: number, value: number): void;
  /** A register as an unsigned number. */
  get(register: RegisterName): number;
  /** Sets a register, the low flags included. Segment registers are set by `enterKernel` only. */
  set(register: RegisterName, value: number): void;
  /** Enters ring 0: flat code, and the flat stack segment of this selector. */
  enterKernel(stackSegment: number): void;
}

/** Why a vCPU left the guest's code. */
export type VcpuExit =
  /** The guest wrote eax to the doorbell port. It continues after that instruction. */
  | { readonly reason: "doorbell" }
  /** HLT: `idle` when hardware interrupts were on, `halt` when they were off. */
  | { readonly reason: "halt" | "idle" }
  /** The slice is over and nothing happened. */
  | { readonly reason: "slice" }
  /** The guest made a mistake that none of its handlers took, such as a triple fault. */
  | { readonly reason: "crash"; readonly detail: string };
