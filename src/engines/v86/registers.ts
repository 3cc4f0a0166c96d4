import {
  READ_ONLY_REGISTERS,
  type RegisterName,
  type Registers,
  WRITABLE_REGISTERS,
} from "../../core/ports/guest_registers.ts";
import type { Cpu } from "./cpu.ts";

/** Index of the code segment in v86's views. */
export const CS = 1;
/** Index of the stack segment. */
export const SS = 2;

const CODE = 0x9b;
const DATA = 0x93;
const GENERAL = { ax: 0, cx: 1, dx: 2, bx: 3, sp: 4, bp: 5, si: 6, di: 7 } as const;
const SEGMENT = { es: 0, cs: CS, ss: SS, ds: 3, fs: 4, gs: 5 } as const;

/** Puts a processor into flat 32-bit protected mode in ring 0, with all registers zero. */
export function resetFlat(cpu: Cpu, codeSelector: number, dataSelector: number): void {
  cpu.reset_cpu();
  cpu.cr[0] = 1;
  cpu.protected_mode[0] = 1;
  cpu.is_32[0] = 1;
  cpu.stack_size_32[0] = 1;
  cpu.flags[0] = 2;
  cpu.flags_changed[0] = 0;
  cpu.reg32.fill(0);
  for (const index of Object.values(SEGMENT)) {
    loadFlat(cpu, index, index === CS ? codeSelector : dataSelector);
  }
  cpu.update_state_flags();
  cpu.full_clear_tlb();
}

/** Loads a segment register with a flat segment of ring 0. */
export function loadFlat(cpu: Cpu, index: number, selector: number): void {
  cpu.sreg[index] = selector;
  cpu.segment_is_null[index] = 0;
  cpu.segment_offsets[index] = 0;
  cpu.segment_limits[index] = 0xffff_ffff;
  cpu.segment_access_bytes[index] = index === CS ? CODE : DATA;
}

/** A register by lguest's name, unsigned. */
export function getRegister(cpu: Cpu, register: RegisterName): number {
  if (register in GENERAL) {
    return (cpu.reg32[GENERAL[register as keyof typeof GENERAL]] ?? 0) >>> 0;
  }
  if (register in SEGMENT) return cpu.sreg[SEGMENT[register as keyof typeof SEGMENT]] ?? 0;
  if (register === "flags") return cpu.get_eflags() >>> 0;
  return ((cpu.instruction_pointer[0] ?? 0) - (cpu.segment_offsets[CS] ?? 0)) >>> 0;
}

/** @throws {TypeError} for a segment register */
export function setRegister(cpu: Cpu, register: RegisterName, value: number): void {
  if (register in GENERAL) cpu.reg32[GENERAL[register as keyof typeof GENERAL]] = value;
  else if (register === "flags") {
    cpu.flags[0] = value;
    cpu.flags_changed[0] = 0;
  } else if (register === "ip") {
    cpu.instruction_pointer[0] = value + (cpu.segment_offsets[CS] ?? 0);
  } else throw new TypeError(`Cannot set ${register}: segments are set by loadFlat`);
}

/** Every register that the port names. */
export function allRegisters(cpu: Cpu): Registers {
  const names = [...WRITABLE_REGISTERS, ...READ_ONLY_REGISTERS];
  return Object.fromEntries(
    names.map((name) => [name, BigInt(getRegister(cpu, name))]),
  ) as Registers;
}
