import { Scopes } from "../../src/generations/scopes.ts";
import { DEFAULT_OPTIONS, type ScopeOptions } from "../../src/generations/scope_options.ts";
import { FakeClock } from "./clock.ts";
import { CollectedEvents } from "./events.ts";
import { MemoryLedger } from "./ledger.ts";
import { MemoryPages } from "./page_folder.ts";
import { FakeProcesses } from "./processes.ts";
import { SeededRandom } from "./random.ts";

/** Scopes on fakes. They can be opened again, as after a restart. */
export class ScopesBench {
  readonly ledger = new MemoryLedger();
  readonly pages = new MemoryPages();
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(7);
  readonly events = new CollectedEvents();
  readonly processes = new FakeProcesses();

  /** Scopes as a daemon that starts finds them. */
  open(): Promise<Scopes> {
    return Scopes.open(this);
  }

  /** Opens scopes with one scope of this name. */
  async withScope(name: string, options: Partial<ScopeOptions> = {}): Promise<Scopes> {
    const scopes = await this.open();
    await scopes.put(name, { ...DEFAULT_OPTIONS, ...options });
    return scopes;
  }
}
