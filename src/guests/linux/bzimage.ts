import { Fault } from "../../core/faults.ts";
import { type Kernel, viewOf } from "./kernel.ts";

/** Where the fields of a bzImage's setup header are (Linux, Documentation/arch/x86/boot.rst). */
const HEADER = {
  start: 0x1f1,
  setupSectors: 0x1f1,
  /** One byte: the header ends this far after 0x202. */
  jumpLength: 0x201,
  magic: 0x202,
  version: 0x206,
  loadFlags: 0x211,
  initrdMax: 0x22c,
  commandLineMax: 0x238,
  preferredAt: 0x258,
  initBytes: 0x260,
} as const;
const MAGIC = 0x5372_6448;
/** The first version that says how much memory the kernel needs to unpack itself: Linux 2.6.31. */
const VERSION_MIN = 0x020a;
const LOADED_HIGH = 0x01;
const SECTOR_BYTES = 512;
const SETUP_SECTORS_DEFAULT = 4;

/** Whether this has a bzImage's setup header. */
export function isBzImage(kernel: Uint8Array): boolean {
  return kernel.length >= HEADER.initBytes + 4 &&
    viewOf(kernel).getUint32(HEADER.magic, true) === MAGIC;
}

/**
 * The parts of a bzImage.
 *
 * @param loadAt Where the part that runs in protected mode goes
 * @throws {Fault} `value-not-allowed`
 */
export function bzImage(kernel: Uint8Array, loadAt: number): Kernel {
  const view = viewOf(kernel);
  const version = view.getUint16(HEADER.version, true);
  if (version < VERSION_MIN || (view.getUint8(HEADER.loadFlags) & LOADED_HIGH) === 0) {
    throw new Fault(
      "value-not-allowed",
      `Cannot boot the guest: its kernel has boot protocol 0x${version.toString(16)}; it must ` +
        "be a bzImage of Linux 2.6.31 or later",
    );
  }
  const sectors = (view.getUint8(HEADER.setupSectors) || SETUP_SECTORS_DEFAULT) + 1;
  const body = kernel.subarray(sectors * SECTOR_BYTES);
  const preferredAt = Number(view.getBigUint64(HEADER.preferredAt, true));
  // The kernel unpacks itself at its preferred address, or where it was loaded if that is higher.
  const runsAt = Math.max(loadAt, preferredAt);
  return {
    pieces: [{ at: loadAt, bytes: body }],
    entry: loadAt,
    end: Math.max(loadAt + body.length, runsAt + view.getUint32(HEADER.initBytes, true)),
    setupHeader: kernel.subarray(
      HEADER.start,
      HEADER.magic + view.getUint8(HEADER.jumpLength),
    ),
    commandLineMax: view.getUint32(HEADER.commandLineMax, true),
    initrdMax: view.getUint32(HEADER.initrdMax, true),
  };
}
