import type { Cpu } from "./cpu.ts";
import { startEmulator } from "./emulator.ts";

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
  const { cpu } = await startEmulator(
    {
      memory_size: Math.max(roundUp(memoryBytes), BLOCKS_MIN * BLOCK_BYTES),
      vga_memory_size: BLOCKS_MIN * BLOCK_BYTES,
    },
    (env) => {
      env["run_hardware_timers"] = () => NO_TIMER_MS;
    },
  );
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
