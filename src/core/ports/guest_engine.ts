import type { RegisterChanges, Registers } from "./guest_registers.ts";
import type { DiskShape, PcDevices, SerialLine } from "./pc_devices.ts";

/**
 * What a guest is shown of its scope. Clones of one snapshot differ in it from their first
 * instruction on.
 */
export interface GuestIdentity {
  /** Generation of the scope, unsigned 32 bits. */
  readonly generation: number;
  /** How many bumps the scope has had. */
  readonly epoch: bigint;
  /** 16 random bytes of the last bump, as 32 hexadecimal digits. */
  readonly unique: string;
}

/** Why a guest will never run again. */
export type Death =
  | { readonly reason: "dead"; readonly deathReason: string }
  /** The guest asked to be started again; lguest reports this as an errno, without a text. */
  | { readonly reason: "reboot" };

/**
 * How often each attached address was notified since the last report. Only addresses that were
 * notified at least once are listed.
 */
export type Rings = readonly (readonly [address: number, count: number])[];

/** Why a run ended. */
export type GuestExit =
  /** The guest notified an address that nobody is attached to. */
  | { readonly reason: "notify"; readonly value: number }
  /** The guest executed HLT: `idle` with the processor's interrupts on, `halt` with them off. */
  | { readonly reason: "halt" | "idle" }
  /** It was interrupted from outside, as by a signal; the next run goes on at the same place. */
  | { readonly reason: "interrupted" }
  /** The budget was used up; the next run goes on at the same place. */
  | { readonly reason: "budget" }
  | Death;

/** Every reason for which a run ends. */
export const EXIT_REASONS: readonly GuestExit["reason"][] = [
  ...["notify", "halt", "idle", "dead", "reboot", "interrupted", "budget"] as const,
];

/** How a new guest begins. */
export interface GuestStart {
  /** Memory in bytes, whole pages. */
  readonly memoryBytes: number;
  /** Address of the first instruction. */
  readonly start: number;
  /** What is in memory at the start; the rest is zero. */
  readonly load: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly identity: GuestIdentity;
  /** The PC around the processor; a bare guest has none and speaks the guest ABI instead. */
  readonly pc?: PcShape;
}

/** A PC without a BIOS, as it begins. */
export interface PcShape {
  /** Address of the boot parameters, in esi at the first instruction. */
  readonly bootParams: number;
  /** The segment table with flat code at 0x10 and flat data at 0x18. */
  readonly gdt: { readonly at: number; readonly limit: number };
  /** Address of the page in which the guest finds its identity. */
  readonly identityAt: number;
  readonly disks: readonly DiskShape[];
}

/** All of a stopped guest, for snapshots and clones. */
export interface GuestImage {
  /** Name of the engine whose vCPU state this is. */
  readonly engine: string;
  readonly memoryBytes: number;
  /** vCPU state, JSON of the engine's own form. */
  readonly vcpu: unknown;
  /** What a bare guest's ABI remembers, JSON of the engine's own form; a PC has devices instead. */
  readonly abi: unknown;
  /** Numbers of the pages that are not all zero, ascending. */
  readonly pages: Uint32Array;
  /** Those pages, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** State of its devices, in a form of the engine's own; empty for a guest without devices. */
  readonly devices: Uint8Array<ArrayBuffer>;
}

/**
 * One guest on an engine (docs/guests.md#engines). The engine runs it on a thread of its own and does
 * the host's half of the guest ABI there, so a guest that calls a million times a second costs the
 * daemon's thread nothing.
 *
 * Calls are done in the order in which they are made, but `attach`, `detach`, `identify` and `send`
 * do not wait for a run to end. A call rejects with a {@linkcode SystemError}: ENODEV when the engine
 * failed, ECANCELED when `close` came first. The caller makes sure that there is one run at a time
 * and that addresses are within memory.
 */
export interface GuestEngine {
  /** Name of the engine, such as `v86`. */
  readonly name: string;
  /** Makes the guest. It is called once, instead of `restore`. */
  initialize(start: GuestStart): Promise<void>;
  /** Makes the guest from an image, with an identity of its own. It is called once. */
  restore(image: GuestImage, identity: GuestIdentity): Promise<void>;
  /** Runs it until something interesting happens, `budgetMs` at most. */
  run(budgetMs: number): Promise<GuestExit>;
  /** Ends the run in progress, if there is one. */
  interrupt(): void;
  /** Makes an interrupt line pending. */
  raise(line: number): void;
  /**
   * Counts notifies of an address, which then no longer end the run. It holds for the next notify
   * once this has resolved. Attaching twice is the same as attaching once.
   */
  attach(address: number): Promise<void>;
  /** Notifies of an address end the run again. All counts were reported when this resolves. */
  detach(address: number): Promise<void>;
  /** Sets who gets the counts of attached addresses, always before the exit of their run. */
  onNotified(listener: (rings: Rings) => void): void;
  /** Shows the guest another generation of its scope, from its next instruction on. */
  identify(identity: GuestIdentity): Promise<void>;
  registers(): Promise<Registers>;
  setRegisters(changes: RegisterChanges): Promise<void>;
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  write(at: number, bytes: Uint8Array): Promise<void>;
  /** Connects the devices of a PC. It is called before `initialize` or `restore`. */
  serve(devices: PcDevices): void;
  /**
   * Writes to a serial line of a PC, in order. Resolves when the guest's UART has taken all bytes,
   * which may be never.
   */
  send(line: SerialLine, bytes: Uint8Array): Promise<void>;
  /** Everything that a clone needs. The guest stays as it is. */
  capture(): Promise<GuestImage>;
  /** Frees everything. A run in progress rejects. It may be called more than once. */
  close(): void;
}
