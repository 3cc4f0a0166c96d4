/** Registers of a guest that can be read and written, by the names of lguest's register table. */
export const WRITABLE_REGISTERS = ["bx", "cx", "dx", "si", "di", "bp", "ax", "ip", "sp"] as const;
/** Registers that can only be read. */
export const READ_ONLY_REGISTERS = ["ds", "es", "fs", "gs", "cs", "flags", "ss"] as const;
/** Every register, the writable ones first. */
export const REGISTERS = [...WRITABLE_REGISTERS, ...READ_ONLY_REGISTERS] as const;

/** A register that can be written. */
export type WritableRegister = typeof WRITABLE_REGISTERS[number];
/** A register. */
export type RegisterName = typeof REGISTERS[number];

/** The value of every register. A guest of 32 bits uses the lower half. */
export type Registers = Readonly<Record<RegisterName, bigint>>;
/** New values for some registers. */
export type RegisterChanges = Readonly<Partial<Record<WritableRegister, bigint>>>;
