import { Fault } from "../../core/faults.ts";
import { GUEST_PAGES_MAX, LINUX_MIB_MIN, MIB, PAGE_BYTES } from "../../core/limits.ts";
import type { GuestStart, PcShape } from "../../core/ports/guest_engine.ts";
import type { DiskRequest, GuestFiles } from "../../core/ports/guest_files.ts";
import { bootOf, IDENTITY_PAGE_AT } from "./boot.ts";

/** A Linux guest that a caller wants: an unmodified 32-bit kernel on a PC. */
export interface Linux {
  readonly memoryMiB: number;
  /** Inode of a bzImage, or of an ELF vmlinux. */
  readonly kernel: string;
  readonly initrd?: string | undefined;
  /** `console=ttyS0` when there is none: the console is on the first serial line. */
  readonly commandLine?: string | undefined;
  readonly disks: readonly DiskRequest[];
  /** A root that the guest sees over 9p, read-only. */
  readonly share?: { readonly root: string } | undefined;
}

const COMMAND_LINE_DEFAULT = "console=ttyS0";

/**
 * How a guest begins that boots this kernel. The disks of its PC are opened later, when it is known
 * that the kernel boots.
 *
 * @throws {Fault} `value-not-allowed`, and as {@linkcode GuestFiles.readAll}
 */
export async function startOfLinux(
  { memoryMiB, kernel, initrd, commandLine = COMMAND_LINE_DEFAULT }: Linux,
  files: GuestFiles,
): Promise<Omit<GuestStart, "identity" | "pc"> & { readonly pc: Omit<PcShape, "disks"> }> {
  const most = GUEST_PAGES_MAX * PAGE_BYTES / MIB;
  if (!Number.isInteger(memoryMiB) || memoryMiB < LINUX_MIB_MIN || memoryMiB > most) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: memoryMiB must be from ${LINUX_MIB_MIN} to ${most}: ` +
        `received ${memoryMiB}`,
    );
  }
  const memoryBytes = memoryMiB * MIB;
  const { load, entry, bootParams, gdt } = bootOf({
    memoryBytes,
    kernel: await files.readAll(kernel),
    initrd: initrd === undefined ? undefined : await files.readAll(initrd),
    commandLine,
  });
  return {
    memoryBytes,
    start: entry,
    load,
    pc: { bootParams, gdt, identityAt: IDENTITY_PAGE_AT },
  };
}
