import { VMCLOCK_TRIES } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { HostDevice } from "../core/ports/host_device.ts";
import { SystemError } from "../core/system_error.ts";
import { SYSGENID_BYTES, sysgenidBytes, sysgenidGeneration } from "./sysgenid_page.ts";
import { readVmclock, VMCLOCK_BYTES } from "./vmclock_page.ts";

/** A counter of the host, which changes when the host itself was restored or cloned. */
export interface HostSource {
  readonly device: HostDevice;
  /**
   * Reads what it shows now.
   *
   * @returns `undefined` while it shows nothing, as a driver does until its first change
   * @throws {SystemError} EIO when its layout is unknown, ETIMEDOUT when it is never at rest
   */
  read(): Promise<bigint | undefined>;
  /** Tells the source that this generation was taken over. */
  confirm(generation: bigint): Promise<void>;
}

/** `/dev/sysgenid`: its 4 bytes are to be written back, as the driver's ack. */
export function sysgenidSource(device: HostDevice): HostSource {
  return {
    device,
    async read() {
      const bytes = await device.read(SYSGENID_BYTES);
      if (bytes === undefined) return undefined;
      if (bytes.byteLength < SYSGENID_BYTES) throw new SystemError("EIO", "read", device.path);
      return BigInt(sysgenidGeneration(bytes));
    },
    async confirm(generation) {
      await device.write(sysgenidBytes(Number(generation)));
    },
  };
}

/** `/dev/vmclock0` (Linux' vmclock-abi.h): its generation counter, behind a sequence lock. */
export function vmclockSource(device: HostDevice, clock: Clock): HostSource {
  return {
    device,
    async read() {
      for (let tries = 0; tries < VMCLOCK_TRIES; tries++) {
        const first = await device.read(VMCLOCK_BYTES);
        const second = await device.read(VMCLOCK_BYTES);
        const shown = first && readVmclock(first);
        const again = second && readVmclock(second);
        if (shown === undefined || again === undefined) {
          throw new SystemError("EIO", "read", device.path);
        }
        const isAtRest = shown.sequence % 2 === 0 && shown.sequence === again.sequence;
        if (isAtRest) return shown.generation;
        await new Promise<void>((resolve) => clock.after(1, resolve));
      }
      throw new SystemError("ETIMEDOUT", "read", device.path);
    },
    // The driver takes the read itself as the ack of this descriptor.
    confirm: () => Promise.resolve(),
  };
}
