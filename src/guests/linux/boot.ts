import { Fault } from "../../core/faults.ts";
import { PAGE_BYTES } from "../../core/limits.ts";
import { bzImage, isBzImage } from "./bzimage.ts";
import { elfKernel, isElf } from "./elf.ts";
import type { Kernel, Piece } from "./kernel.ts";

/** What a Linux guest boots. */
export interface BootSpec {
  readonly memoryBytes: number;
  /** A bzImage, or an ELF vmlinux. */
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string;
}

/** Memory of a Linux guest before its first instruction. */
interface Boot {
  readonly load: readonly Piece[];
  readonly entry: number;
  /** Where the boot parameters are: esi points at them. */
  readonly bootParams: number;
  /** The segment table that the protocol asks for: code 0x10 and data 0x18, both flat. */
  readonly gdt: { readonly at: number; readonly limit: number };
}

/** The page in which a guest finds its identity. The memory map reserves it (docs/guests.md#identity). */
export const IDENTITY_PAGE_AT = 0x9f000;

const GDT_AT = 0x6000;
const BOOT_PARAMS_AT = 0x7000;
const COMMAND_LINE_AT = 0x20000;
const HIGH_MEMORY_AT = 0x100000;

/** Where the fields of the boot parameters are (Linux, Documentation/arch/x86/zero-page.rst). */
const PARAMS = {
  e820Entries: 0x1e8,
  setupHeader: 0x1f1,
  loaderType: 0x210,
  loadFlags: 0x211,
  initrdAt: 0x218,
  initrdBytes: 0x21c,
  commandLineAt: 0x228,
  e820Table: 0x2d0,
} as const;
const E820_ENTRY_BYTES = 20;
const RAM = 1;
const RESERVED = 2;
/** The number of boot loaders that have none of their own. */
const LOADER_UNDEFINED = 0xff;
const LOADED_HIGH = 0x01;
/** Null, unused, flat code of ring 0, flat data of ring 0. */
const GDT = BigUint64Array.of(0n, 0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn);

/**
 * Does what a boot loader does by the 32-bit boot protocol (Linux,
 * Documentation/arch/x86/boot.rst). No BIOS runs, so the memory map is made here too.
 *
 * @throws {Fault} `value-not-allowed` for something that is no kernel or does not fit, and for a
 * command line that is too long
 */
export function bootOf({ memoryBytes, kernel, initrd, commandLine }: BootSpec): Boot {
  const parsed = parse(kernel);
  const { pieces, entry, end, commandLineMax } = parsed;
  if (end > memoryBytes) {
    throw refuse(`the kernel needs ${end} bytes of memory and ${memoryBytes} are given`);
  }
  const line = new TextEncoder().encode(commandLine);
  if (line.length > commandLineMax || line.includes(0)) {
    throw refuse(
      `the command line may have ${commandLineMax} bytes and no NUL: received ${line.length}`,
    );
  }
  const params = new Uint8Array(PAGE_BYTES);
  const view = new DataView(params.buffer);
  params.set(parsed.setupHeader, PARAMS.setupHeader);
  view.setUint8(PARAMS.loaderType, LOADER_UNDEFINED);
  view.setUint8(PARAMS.loadFlags, view.getUint8(PARAMS.loadFlags) | LOADED_HIGH);
  view.setUint32(PARAMS.commandLineAt, COMMAND_LINE_AT, true);
  const load: Piece[] = [
    ...pieces,
    { at: COMMAND_LINE_AT, bytes: line },
    { at: BOOT_PARAMS_AT, bytes: params },
    { at: GDT_AT, bytes: new Uint8Array(GDT.buffer) },
  ];
  if (initrd !== undefined && initrd.length > 0) {
    const at = initrdAt(initrd.length, memoryBytes, parsed);
    view.setUint32(PARAMS.initrdAt, at, true);
    view.setUint32(PARAMS.initrdBytes, initrd.length, true);
    load.push({ at, bytes: initrd });
  }
  writeMemoryMap(view, memoryBytes);
  const gdt = { at: GDT_AT, limit: GDT.byteLength - 1 };
  return { load, entry, bootParams: BOOT_PARAMS_AT, gdt };
}

function parse(kernel: Uint8Array): Kernel {
  if (isBzImage(kernel)) return bzImage(kernel, HIGH_MEMORY_AT);
  if (isElf(kernel)) return elfKernel(kernel, HIGH_MEMORY_AT);
  throw refuse("the kernel is neither a bzImage nor an ELF file");
}

/** The initrd goes as high as the kernel allows, out of the way of what the kernel unpacks. */
function initrdAt(bytes: number, memoryBytes: number, { end, initrdMax }: Kernel): number {
  const top = Math.min(memoryBytes, initrdMax + 1);
  const at = Math.floor((top - bytes) / PAGE_BYTES) * PAGE_BYTES;
  if (at >= end) return at;
  throw refuse(
    `the initrd has ${bytes} bytes and ${Math.max(0, top - end)} are free above the kernel; ` +
      "give the guest more memory",
  );
}

function writeMemoryMap(view: DataView, memoryBytes: number): void {
  const map = [
    [0, IDENTITY_PAGE_AT, RAM],
    [IDENTITY_PAGE_AT, HIGH_MEMORY_AT, RESERVED],
    [HIGH_MEMORY_AT, memoryBytes, RAM],
  ] as const;
  view.setUint8(PARAMS.e820Entries, map.length);
  for (const [index, [start, end, type]] of map.entries()) {
    const at = PARAMS.e820Table + index * E820_ENTRY_BYTES;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(end - start), true);
    view.setUint32(at + 16, type, true);
  }
}

function refuse(why: string): Fault {
  return new Fault("value-not-allowed", `Cannot boot the guest: ${why}`);
}
