import type { Cpu } from "./cpu.ts";
import { startEmulator } from "./emulator.ts";

/** v86 maps memory in blocks of this size, and needs at least eight. */
const BLOCK_BYTES = 128 * 1024;
const BLOCKS_MIN = 8;

/**
 * Address of the processor's interrupt table until a guest loads one of its own. It is above all
 * memory, so that the gates of LOAD_IDT_ENTRY take no byte of the guest's.
 */
const TRAP_TABLE_AT = 0xf000_0000;
const TRAP_TABLE_BYTES = 256 * 8;

/** How often v86 looks at its hardware timers, in milliseconds. There are none. */
const NO_TIMER_MS = 100;

/**
 * Starts v86 as a bare machine: a processor and memory, no BIOS and no device. Every port that is
 * not registered later reads as ones and ignores writes.
 *
 * @param memoryBytes Size of the memory. Addresses above it read as ones and ignore writes
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
  // One entry serves all ports: 65,536 of them would cost 10 ms and 5 MiB.
  cpu.io.ports.fill(cpu.io.create_empty_entry());
  // v86 leaves a byte of its own in the first blocks.
  cpu.mem8.fill(0, 0, BLOCKS_MIN * BLOCK_BYTES);
  boundMemory(cpu, memoryBytes);
  return cpu;
}

/**
 * Gives a guest exactly its pages. v86 has whole blocks of memory and a hole for the screen at
 * 640 KiB, so the rest of the last block is hidden and the hole is filled.
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
 * @param gateAt Returns the two words of a vector's gate, whenever the processor takes that vector
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
