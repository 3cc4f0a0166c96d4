import { V86 } from "v86";
import { wasm } from "./wasm.js";

/** One I/O port of v86, as its io module keeps it. */
interface Port {
  write32(value: number): void;
}

/**
 * The parts of v86's processor that this engine uses. They are not its public API: the package is
 * pinned to one version, and the engine's contract tests run over every one of them.
 */
export interface Cpu {
  readonly reg32: Int32Array;
  readonly instruction_pointer: Int32Array;
  readonly previous_ip: Int32Array;
  readonly flags: Int32Array;
  readonly flags_changed: Int32Array;
  readonly last_op_size: Int32Array;
  readonly last_op1: Int32Array;
  readonly last_result: Int32Array;
  readonly sreg: Uint16Array;
  readonly segment_is_null: Uint8Array;
  readonly segment_offsets: Int32Array;
  readonly segment_limits: Uint32Array;
  readonly segment_access_bytes: Uint8Array;
  readonly cr: Int32Array;
  readonly dreg: Int32Array;
  readonly cpl: Uint8Array;
  readonly protected_mode: Int32Array;
  readonly is_32: Int32Array;
  readonly stack_size_32: Int32Array;
  readonly tss_size_32: Int32Array;
  readonly idtr_size: Int32Array;
  readonly idtr_offset: Int32Array;
  readonly gdtr_size: Int32Array;
  readonly gdtr_offset: Int32Array;
  readonly sysenter_cs: Int32Array;
  readonly sysenter_esp: Int32Array;
  readonly sysenter_eip: Int32Array;
  readonly fpu_st: Int32Array;
  readonly fpu_stack_empty: Uint8Array;
  readonly fpu_stack_ptr: Uint8Array;
  readonly fpu_control_word: Uint16Array;
  readonly fpu_status_word: Uint16Array;
  readonly fpu_opcode: Int32Array;
  readonly fpu_ip: Int32Array;
  readonly fpu_ip_selector: Int32Array;
  readonly fpu_dp: Int32Array;
  readonly fpu_dp_selector: Int32Array;
  readonly reg_xmm32s: Int32Array;
  readonly mxcsr: Int32Array;
  readonly reg_pdpte: Int32Array;
  readonly in_hlt: Uint8Array;
  readonly memory_size: Uint32Array;
  /** Never keep it or its buffer: v86 makes the view anew at each access, since memory grows. */
  readonly mem8: Uint8Array<ArrayBuffer>;
  readonly io: {
    readonly ports: Port[];
    create_empty_entry(): Port;
    mmap_register(
      at: number,
      size: number,
      read8: (at: number) => number,
      write8: (at: number, value: number) => void,
      read32: (at: number) => number,
      write32: (at: number, value: number) => void,
    ): void;
  };
  reset_cpu(): void;
  main_loop(): number;
  get_eflags(): number;
  update_state_flags(): void;
  full_clear_tlb(): void;
  jit_clear_cache(): void;
  write_blob(bytes: Uint8Array, at: number): void;
}

/** Memory that v86 maps at once; it has whole ones of these, and at least eight. */
const BLOCK_BYTES = 128 * 1024;
const BLOCKS_MIN = 8;

/**
 * Where the processor's interrupt table is until a guest loads one of its own: above all memory,
 * so that the gates of LOAD_IDT_ENTRY can stand there without a byte of the guest's.
 */
const TRAP_TABLE_AT = 0xf000_0000;
const TRAP_TABLE_BYTES = 256 * 8;

/** v86 asks for its hardware timers this often, in milliseconds; there are none. */
const NO_TIMER_MS = 100;

/**
 * v86 as a bare machine: a processor and memory, no BIOS, and not one device. Every port but
 * those registered later reads as all ones and ignores writes.
 *
 * @param memoryBytes Memory in bytes; what is above it reads as all ones and ignores writes
 */
export async function bareMachine(memoryBytes: number): Promise<Cpu> {
  const emulator = new V86(
    {
      memory_size: Math.max(roundUp(memoryBytes), BLOCKS_MIN * BLOCK_BYTES),
      vga_memory_size: BLOCKS_MIN * BLOCK_BYTES,
      autostart: false,
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
      wasm_fn: async (imports: WebAssembly.Imports) => {
        const env = imports["env"] as Record<string, WebAssembly.ImportValue>;
        env["run_hardware_timers"] = () => NO_TIMER_MS;
        // A guest that dies makes v86 panic on the console; the engine reports it as a death.
        env["console_log_from_wasm"] = () => {};
        return (await WebAssembly.instantiate(wasm, imports)).exports;
      },
    } as ConstructorParameters<typeof V86>[0],
  );
  await new Promise<void>((resolve) => emulator.add_listener("emulator-loaded", () => resolve()));
  const { cpu } = (emulator as unknown as { v86: { cpu: Cpu } }).v86;
  // One for all: 65,536 of them would be 10 ms and 5 MiB.
  cpu.io.ports.fill(cpu.io.create_empty_entry());
  // v86 leaves a byte of its own there.
  cpu.mem8.fill(0, 0, BLOCKS_MIN * BLOCK_BYTES);
  boundMemory(cpu, memoryBytes);
  return cpu;
}

/**
 * v86 has whole blocks of memory and a hole for the screen at 640 KiB. A guest has exactly its
 * pages: the rest of the last block is taken away, and the hole is filled.
 */
function boundMemory(cpu: Cpu, memoryBytes: number): void {
  const has = (at: number, size: number): boolean => (at >>> 0) + size <= memoryBytes;
  const view = (at: number): DataView => new DataView(cpu.mem8.buffer, cpu.mem8.byteOffset + at);
  cpu.memory_size[0] = memoryBytes;
  cpu.io.mmap_register(
    0,
    cpu.mem8.byteLength,
    (at) => has(at, 1) ? view(at).getUint8(0) : 0xff,
    (at, value) => {
      if (has(at, 1)) view(at).setUint8(0, value);
    },
    (at) => has(at, 4) ? view(at).getInt32(0, true) : -1,
    (at, value) => {
      if (has(at, 4)) view(at).setInt32(0, value, true);
    },
  );
  cpu.full_clear_tlb();
}

/**
 * Gives the processor an interrupt table.
 *
 * @param gateAt The two words of a vector's gate, asked for when the processor takes that vector
 */
export function serveTraps(cpu: Cpu, gateAt: (vector: number) => readonly [number, number]): void {
  const wordAt = (at: number): number => {
    const offset = (at >>> 0) - TRAP_TABLE_AT;
    return offset < TRAP_TABLE_BYTES ? gateAt(offset >>> 3)[offset >>> 2 & 1] ?? 0 : -1;
  };
  const ones = (): number => 0xff;
  cpu.io.mmap_register(TRAP_TABLE_AT, BLOCK_BYTES, ones, () => {}, wordAt, () => {});
  cpu.idtr_offset[0] = TRAP_TABLE_AT | 0;
  cpu.idtr_size[0] = TRAP_TABLE_BYTES - 1;
  cpu.full_clear_tlb();
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
