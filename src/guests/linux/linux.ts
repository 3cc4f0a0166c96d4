import { Fault } from "../../core/faults.ts";
import { GUEST_PAGES_MAX, LINUX_MIB_MIN, MIB, PAGE_BYTES } from "../../core/limits.ts";
import type { GuestIdentity, GuestStart } from "../../core/ports/guest_engine.ts";
import type { DiskShape } from "../../core/ports/pc_devices.ts";
import { bootOf, IDENTITY_PAGE_AT } from "./boot.ts";

/** A Linux guest as it is asked for: an unmodified 32-bit kernel on a PC. */
export interface Linux {
  readonly memoryMiB: number;
  /** A bzImage, or an ELF vmlinux. */
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string;
}

/** The console on the first serial line. */
export const COMMAND_LINE_DEFAULT = "console=ttyS0";

/**
 * Refuses a Linux guest that cannot boot.
 *
 * @throws {Fault} `value-not-allowed`
 */
export function checkLinux(linux: Linux): void {
  const { memoryMiB } = linux;
  const most = GUEST_PAGES_MAX * PAGE_BYTES / MIB;
  if (!Number.isInteger(memoryMiB) || memoryMiB < LINUX_MIB_MIN || memoryMiB > most) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: memoryMiB must be from ${LINUX_MIB_MIN} to ${most}: ` +
        `received ${memoryMiB}`,
    );
  }
  bootOf({ ...linux, memoryBytes: memoryMiB * MIB });
}

/** How a guest begins that boots this kernel. */
export function startOfLinux(
  linux: Linux,
  disks: readonly DiskShape[],
  identity: GuestIdentity,
): GuestStart {
  const memoryBytes = linux.memoryMiB * MIB;
  const { load, entry, bootParams, gdt } = bootOf({ ...linux, memoryBytes });
  return {
    memoryBytes,
    start: entry,
    load,
    identity,
    pc: { bootParams, gdt, identityAt: IDENTITY_PAGE_AT, disks },
  };
}
