import { Leases } from "../../core/leases.ts";
import type { Clock } from "../../core/ports/clock.ts";

/** `idle`: nobody holds the device; `lost`: the leases of all its holders have run out. */
export const DEVICE_STATUSES = ["idle", "attached", "lost"] as const;

/** One of {@linkcode DEVICE_STATUSES}. */
export type DeviceStatus = typeof DEVICE_STATUSES[number];

/**
 * The leases of holders. When one runs out, the holder is marked as lost and keeps the device,
 * because the device may still be plugged.
 */
export class HolderLeases {
  readonly #leases: Leases;
  readonly #onLost: (device: string, holder: string) => void;
  readonly #lost = new Set<string>();

  /** @param onLost Called once for each lease that runs out */
  constructor(clock: Clock, onLost: (device: string, holder: string) => void) {
    this.#leases = new Leases(clock);
    this.#onLost = onLost;
  }

  /** Begins a lease. If one runs, it begins anew. */
  start(device: string, holder: string, leaseMs: number): void {
    const key = keyOf(device, holder);
    this.#lost.delete(key);
    this.#leases.start(key, leaseMs, () => {
      this.#lost.add(key);
      this.#onLost(device, holder);
    });
  }

  /** Ends a lease, if one runs. */
  end(device: string, holder: string): void {
    const key = keyOf(device, holder);
    this.#leases.end(key);
    this.#lost.delete(key);
  }

  isLost(device: string, holder: string): boolean {
    return this.#lost.has(keyOf(device, holder));
  }

  /** Ends all leases. */
  clear(): void {
    this.#leases.stop();
    this.#lost.clear();
  }
}

function keyOf(device: string, holder: string): string {
  return `${device}/${holder}`;
}
