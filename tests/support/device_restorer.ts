/** A process that puts one of two images in place of the other, again and again. */
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { DeviceRegistry, type RegistryState } from "../../src/devices/registry.ts";
import { DeviceResolver } from "../../src/devices/resolve/resolve.ts";
import { SqliteLedger } from "../../src/storage/sqlite_ledger.ts";
import { CollectedEvents } from "./events.ts";
import { MemoryHostTree } from "./host_tree.ts";

const MAPPINGS = 5_000;

/** Opens the registry in a ledger file. */
export async function openOn(
  path: string,
): Promise<{ registry: DeviceRegistry; ledger: SqliteLedger }> {
  const ledger = new SqliteLedger(path);
  const registry = await DeviceRegistry.open({
    ledger,
    events: new CollectedEvents(),
    clock: systemClock,
    random: systemRandom,
    resolver: new DeviceResolver({ hostTree: new MemoryHostTree() }),
  });
  return { registry, ledger };
}

/** One of two states of the same devices. Every number in it shows which of the two it is. */
export function stateNumber(which: bigint): RegistryState {
  const mappings = Array.from({ length: MAPPINGS }, (_, i) => ({
    key: { device: which, secondaryDevice: "", inode: BigInt(i) },
    virtualInode: BigInt(i + 1) * which,
  }));
  return {
    anonymous: {
      lastMinor: 2n,
      devices: [
        { kind: "simple", minor: 1n, last: which, mappings: [], retired: [] },
        { kind: "multi", minor: 2n, last: 10n * which, mappings, retired: [] },
      ],
    },
    host: [],
  };
}

async function restoreForEver(path: string): Promise<void> {
  const { registry } = await openOn(path);
  for (let which = 1n;; which = 3n - which) {
    await registry.restore(stateNumber(which), "match");
    await Deno.stdout.write(new TextEncoder().encode("."));
  }
}

if (import.meta.main) await restoreForEver(Deno.args[0] as string);
