import { Scopes } from "../../src/generations/scopes.ts";
import { FakeClock } from "./clock.ts";
import { MemoryLedger } from "./ledger.ts";
import { MemoryPages } from "./page_folder.ts";
import { SeededRandom } from "./random.ts";

/** Scopes on fakes, which can be opened again as after a restart. */
export class ScopesBench {
  readonly ledger = new MemoryLedger();
  readonly pages = new MemoryPages();
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(7);

  /** Scopes as a daemon that starts finds them. */
  open(): Promise<Scopes> {
    return Scopes.open(this);
  }

  /** Opens scopes with one scope of default options. */
  async withScope(name: string): Promise<Scopes> {
    const scopes = await this.open();
    await scopes.put(name, { trackOnOpen: false, onDisconnect: "hold" });
    return scopes;
  }
}
