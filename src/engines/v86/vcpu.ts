import { DOORBELL_PORT } from "../../core/abi/hypercalls.ts";
import { type Gate, KERNEL_CS } from "../../core/abi/interrupts.ts";
import {
  READ_ONLY_REGISTERS,
  type RegisterName,
  WRITABLE_REGISTERS,
} from "../../core/abi/registers.ts";
import type { Vcpu, VcpuExit } from "../../core/abi/vcpu.ts";
import { IF } from "../../core/abi/data_page.ts";
import { type Cpu, serveTraps } from "./machine.ts";

/** Selector of the flat ring 0 data and stack segment at the start. */
const KERNEL_DS = 0x10;
const CODE = 0x9b;
const DATA = 0x93;
const [CS, SS] = [1, 2];

const GENERAL = { ax: 0, cx: 1, dx: 2, bx: 3, sp: 4, bp: 5, si: 6, di: 7 } as const;
const SEGMENT = { es: 0, cs: CS, ss: SS, ds: 3, fs: 4, gs: 5 } as const;

/**
 * The vCPU state of a snapshot: these views of v86's, in full. The four that describe the last
 * arithmetic operation are not among them: capture folds them into `flags`.
 */
const STATE = [
  "reg32",
  "instruction_pointer",
  "previous_ip",
  "flags",
  "sreg",
  "segment_is_null",
  "segment_offsets",
  "segment_limits",
  "segment_access_bytes",
  "cr",
  "dreg",
  "cpl",
  "protected_mode",
  "is_32",
  "stack_size_32",
  "tss_size_32",
  "idtr_size",
  "idtr_offset",
  "gdtr_size",
  "gdtr_offset",
  "sysenter_cs",
  "sysenter_esp",
  "sysenter_eip",
  "fpu_st",
  "fpu_stack_empty",
  "fpu_stack_ptr",
  "fpu_control_word",
  "fpu_status_word",
  "fpu_opcode",
  "fpu_ip",
  "fpu_ip_selector",
  "fpu_dp",
  "fpu_dp_selector",
  "reg_xmm32s",
  "mxcsr",
  "reg_pdpte",
] as const satisfies readonly (keyof Cpu)[];

/** The vCPU state of a snapshot, as JSON: each view's numbers. */
export type V86State = Readonly<Record<typeof STATE[number], readonly number[]>>;

/** A stopped v86 processor as the ABI works on it, and a slice of running it. */
export class V86Vcpu implements Vcpu {
  readonly #cpu: Cpu;
  #doorbell = false;
  /** The vector that the processor took last and found no handler for. */
  #unhandled: number | undefined;
  /** The handler of a vector, for what the processor raises itself. */
  gateOf: (vector: number) => Gate | undefined = () => undefined;

  /** Takes the processor to flat 32-bit protected mode, all registers zero. */
  constructor(cpu: Cpu, readonly memoryBytes: number) {
    this.#cpu = cpu;
    const doorbell = cpu.io.create_empty_entry();
    cpu.io.ports[DOORBELL_PORT] = doorbell;
    doorbell.write32 = () => {
      this.#doorbell = true;
      // Leaves main_loop after this instruction. Throwing would corrupt v86's stack in time.
      cpu.in_hlt[0] = 1;
    };
    this.#resetFlat();
    serveTraps(cpu, (vector) => this.#gateWords(vector));
  }

  #gateWords(vector: number): readonly [number, number] {
    const gate = this.gateOf(vector);
    if (gate === undefined) {
      this.#unhandled = vector;
      return [0, 0];
    }
    const { handler, masks } = gate;
    const type = masks ? 0x8e00 : 0x8f00;
    return [KERNEL_CS << 16 | (handler & 0xffff), (handler & 0xffff_0000) | type];
  }

  #resetFlat(): void {
    const cpu = this.#cpu;
    cpu.reset_cpu();
    cpu.cr[0] = 1;
    cpu.protected_mode[0] = 1;
    cpu.is_32[0] = 1;
    cpu.stack_size_32[0] = 1;
    cpu.flags[0] = 2;
    cpu.flags_changed[0] = 0;
    cpu.reg32.fill(0);
    for (const index of Object.values(SEGMENT)) {
      this.#loadFlat(index, index === CS ? KERNEL_CS : KERNEL_DS, index === CS ? CODE : DATA);
    }
    cpu.update_state_flags();
    cpu.full_clear_tlb();
  }

  #loadFlat(index: number, selector: number, access: number): void {
    const cpu = this.#cpu;
    cpu.sreg[index] = selector;
    cpu.segment_is_null[index] = 0;
    cpu.segment_offsets[index] = 0;
    cpu.segment_limits[index] = 0xffff_ffff;
    cpu.segment_access_bytes[index] = access;
  }

  /** Runs the guest for about a millisecond, or until it leaves by itself. */
  slice(): VcpuExit {
    const cpu = this.#cpu;
    this.#doorbell = false;
    this.#unhandled = undefined;
    cpu.in_hlt[0] = 0;
    try {
      cpu.main_loop();
    } catch {
      // A trap that no handler takes ends in a panic of v86, after which it is of no more use.
      const trap = this.#unhandled === undefined ? "trap" : `trap ${this.#unhandled}`;
      return { reason: "crash", detail: `unhandled ${trap} at ${this.#ipText()}` };
    }
    if (this.#doorbell) return { reason: "doorbell" };
    if (cpu.in_hlt[0] === 0) return { reason: "slice" };
    return { reason: (cpu.get_eflags() & IF) === 0 ? "halt" : "idle" };
  }

  #ipText(): string {
    return `0x${((this.#cpu.previous_ip[0] ?? 0) >>> 0).toString(16)}`;
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#cpu.mem8.slice(at, at + length);
  }

  write(at: number, bytes: Uint8Array): void {
    // Forgets compiled code of these pages too.
    this.#cpu.write_blob(bytes, at);
  }

  readU32(at: number): number {
    return new DataView(this.#cpu.mem8.slice(at, at + 4).buffer).getUint32(0, true);
  }

  writeU32(at: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.write(at, bytes);
  }

  get(register: RegisterName): number {
    const cpu = this.#cpu;
    if (register in GENERAL) {
      return (cpu.reg32[GENERAL[register as keyof typeof GENERAL]] ?? 0) >>> 0;
    }
    if (register in SEGMENT) return cpu.sreg[SEGMENT[register as keyof typeof SEGMENT]] ?? 0;
    if (register === "flags") return cpu.get_eflags() >>> 0;
    return ((cpu.instruction_pointer[0] ?? 0) - (cpu.segment_offsets[CS] ?? 0)) >>> 0;
  }

  set(register: RegisterName, value: number): void {
    const cpu = this.#cpu;
    if (register in GENERAL) cpu.reg32[GENERAL[register as keyof typeof GENERAL]] = value;
    else if (register === "flags") {
      cpu.flags[0] = value;
      cpu.flags_changed[0] = 0;
    } else if (register === "ip") {
      cpu.instruction_pointer[0] = value + (cpu.segment_offsets[CS] ?? 0);
    } else throw new TypeError(`Cannot set ${register}: segments are set by enterKernel`);
  }

  enterKernel(stackSegment: number): void {
    this.#cpu.cpl[0] = 0;
    this.#loadFlat(CS, KERNEL_CS, CODE);
    this.#loadFlat(SS, stackSegment, DATA);
    this.#cpu.is_32[0] = 1;
    this.#cpu.stack_size_32[0] = 1;
    this.#cpu.update_state_flags();
    this.#cpu.full_clear_tlb();
  }

  /** Every register that a launcher may name. */
  get registers(): Record<RegisterName, bigint> {
    return Object.fromEntries(
      [...WRITABLE_REGISTERS, ...READ_ONLY_REGISTERS].map((name) => [name, BigInt(this.get(name))]),
    ) as Record<RegisterName, bigint>;
  }

  /** The processor's state as a snapshot keeps it. */
  get state(): V86State {
    this.set("flags", this.get("flags"));
    return Object.fromEntries(
      STATE.map((name) => [name, [...this.#cpu[name]]]),
    ) as unknown as V86State;
  }

  set state(state: V86State) {
    for (const name of STATE) this.#cpu[name].set(state[name]);
    this.#cpu.flags_changed[0] = 0;
    this.#cpu.update_state_flags();
    this.#cpu.full_clear_tlb();
    this.#cpu.jit_clear_cache();
  }
}
