import { DOORBELL_PORT } from "../lguest/hypercalls.ts";
import { type Gate, KERNEL_CS } from "../lguest/interrupts.ts";
import type { RegisterName } from "../../core/ports/guest_registers.ts";
import type { Vcpu, VcpuExit } from "../lguest/vcpu.ts";
import { IF } from "../lguest/data_page.ts";
import { type Cpu, CPU_STATE } from "./cpu.ts";
import { serveTraps } from "./machine.ts";
import { CS, getRegister, loadFlat, resetFlat, setRegister, SS } from "./registers.ts";

/** Selector of the flat ring 0 data and stack segment at the start. */
const KERNEL_DS = 0x10;

/** The vCPU state of a snapshot, as JSON: each view's numbers. */
export type V86State = Readonly<Record<typeof CPU_STATE[number], readonly number[]>>;

/** A v86 processor as the ABI works on it while it is stopped, and how it runs for a slice. */
export class V86Vcpu implements Vcpu {
  readonly #cpu: Cpu;
  #doorbell = false;
  /** The last vector for which the processor found no handler. */
  #unhandled: number | undefined;
  /** Finds the handler of a vector that the processor raises itself. */
  gateOf: (vector: number) => Gate | undefined = () => undefined;

  /** Puts the processor into flat 32-bit protected mode, with all registers zero. */
  constructor(cpu: Cpu, readonly memoryBytes: number) {
    this.#cpu = cpu;
    const doorbell = cpu.io.create_empty_entry();
    cpu.io.ports[DOORBELL_PORT] = doorbell;
    doorbell.write32 = () => {
      this.#doorbell = true;
      // Leaves main_loop after this instruction. To throw would corrupt v86's stack after a while.
      cpu.in_hlt[0] = 1;
    };
    resetFlat(cpu, KERNEL_CS, KERNEL_DS);
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

  /** Runs the guest for about a millisecond, or until it leaves by itself. */
  slice(): VcpuExit {
    const cpu = this.#cpu;
    this.#doorbell = false;
    this.#unhandled = undefined;
    cpu.in_hlt[0] = 0;
    try {
      cpu.main_loop();
    } catch {
      // A trap that no handler takes ends in a panic of v86, which cannot run on after that.
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
    return getRegister(this.#cpu, register);
  }

  set(register: RegisterName, value: number): void {
    setRegister(this.#cpu, register, value);
  }

  enterKernel(stackSegment: number): void {
    this.#cpu.cpl[0] = 0;
    loadFlat(this.#cpu, CS, KERNEL_CS);
    loadFlat(this.#cpu, SS, stackSegment);
    this.#cpu.is_32[0] = 1;
    this.#cpu.stack_size_32[0] = 1;
    this.#cpu.update_state_flags();
    this.#cpu.full_clear_tlb();
  }

  /** The processor's state for a snapshot. */
  get state(): V86State {
    this.set("flags", this.get("flags"));
    return Object.fromEntries(
      CPU_STATE.map((name) => [name, [...this.#cpu[name]]]),
    ) as unknown as V86State;
  }

  set state(state: V86State) {
    for (const name of CPU_STATE) this.#cpu[name].set(state[name]);
    this.#cpu.flags_changed[0] = 0;
    this.#cpu.update_state_flags();
    this.#cpu.full_clear_tlb();
    this.#cpu.jit_clear_cache();
  }
}
