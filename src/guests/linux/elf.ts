import { Fault } from "../../core/faults.ts";
import { type Kernel, type Piece, viewOf } from "./kernel.ts";

const MAGIC = 0x464c_457f;
const HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const MACHINE_386 = 3;
const SEGMENT_LOAD = 1;

/** The boot protocol to announce to a kernel that has no setup header of its own. */
const PROTOCOL = 0x020c;
const COMMAND_LINE_MAX = 2047;
/** Where the kernel's direct mapping of memory ends in its usual layout. */
const INITRD_MAX = 0x37ff_ffff;
const SETUP_HEADER_BYTES = 0x77;

/** Whether this is an ELF file. */
export function isElf(kernel: Uint8Array): boolean {
  return kernel.length >= HEADER_BYTES && viewOf(kernel).getUint32(0, true) === MAGIC;
}

/**
 * The segments of a vmlinux, by their physical addresses.
 *
 * @param lowest Lowest address that a segment may have
 * @throws {Fault} `value-not-allowed`
 */
export function elfKernel(kernel: Uint8Array, lowest: number): Kernel {
  const view = viewOf(kernel);
  const isKernel = view.getUint8(4) === CLASS_32 && view.getUint8(5) === LITTLE_ENDIAN &&
    view.getUint16(16, true) === TYPE_EXECUTABLE && view.getUint16(18, true) === MACHINE_386;
  if (!isKernel) throw refuse("it is no 32-bit x86 executable");
  const headersAt = view.getUint32(28, true);
  const count = view.getUint16(44, true);
  if (headersAt + count * PROGRAM_HEADER_BYTES > kernel.length) throw refuse("it is cut short");
  const pieces: Piece[] = [];
  let end = 0;
  for (let index = 0; index < count; index++) {
    const at = headersAt + index * PROGRAM_HEADER_BYTES;
    if (view.getUint32(at, true) !== SEGMENT_LOAD) continue;
    const [from, , physical, fileBytes, memoryBytes] = [4, 8, 12, 16, 20]
      .map((field) => view.getUint32(at + field, true)) as [number, number, number, number, number];
    if (from + fileBytes > kernel.length) throw refuse("it is cut short");
    if (physical < lowest || fileBytes > memoryBytes) throw refuse("a segment is out of place");
    pieces.push({ at: physical, bytes: kernel.subarray(from, from + fileBytes) });
    end = Math.max(end, physical + memoryBytes);
  }
  const entry = view.getUint32(24, true);
  if (entry < lowest || entry >= end) throw refuse("its entry point is outside its segments");
  return {
    pieces,
    entry,
    end,
    setupHeader: setupHeader(),
    commandLineMax: COMMAND_LINE_MAX,
    initrdMax: INITRD_MAX,
  };
}

/** A setup header like that of the same kernel's bzImage, because the kernel reads it when it starts. */
function setupHeader(): Uint8Array {
  const bytes = new Uint8Array(SETUP_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  // Offsets are from 0x1f1: boot_flag, magic, version.
  view.setUint16(0x1fe - 0x1f1, 0xaa55, true);
  view.setUint32(0x202 - 0x1f1, 0x5372_6448, true);
  view.setUint16(0x206 - 0x1f1, PROTOCOL, true);
  return bytes;
}

function refuse(why: string): Fault {
  return new Fault("value-not-allowed", `Cannot boot the guest: its kernel is of no use: ${why}`);
}
