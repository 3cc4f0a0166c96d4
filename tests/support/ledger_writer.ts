/** A process that commits 1, 2, 3, … and prints each number once it is acknowledged. */
import { SqliteLedger } from "../../src/storage/sqlite_ledger.ts";

async function write(path: string): Promise<void> {
  const ledger = new SqliteLedger(path);
  for (let n = 1; n <= 100_000; n++) {
    await ledger.commit([{ kind: "device", id: String(n).padStart(6, "0"), body: n }]);
    await Deno.stdout.write(new TextEncoder().encode(`${n}\n`));
  }
}

if (import.meta.main) await write(Deno.args[0] as string);
