import { Fault } from "../core/faults.ts";
import { ENGINE_MAKE_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { GuestEngine } from "../core/ports/guest_engine.ts";
import { SystemError } from "../core/system_error.ts";

/** Engines by name. `auto` is the one that is always there (docs/guests.md#engines). */
export const ENGINE_NAMES = ["auto", "v86", "kvm"] as const;
/** The name of an engine, or `auto`. */
export type EngineName = typeof ENGINE_NAMES[number];

/** What makes engines, by name. An engine that is missing here is not available on this host. */
type Engines = Readonly<Partial<Record<Exclude<EngineName, "auto">, () => GuestEngine>>>;

/** What is needed to make an engine. */
export interface EnginePorts {
  readonly engines: Engines;
  readonly clock: Clock;
}

/**
 * Makes an engine with a guest on it.
 *
 * @param prepare Gives the engine its guest. When it fails, the engine is closed
 * @throws {Fault} `engine-unavailable`, also when making the guest takes too long
 */
export async function makeEngine(
  { engines, clock }: EnginePorts,
  name: EngineName,
  prepare: (engine: GuestEngine) => Promise<void>,
): Promise<GuestEngine> {
  const make = engines[name === "auto" ? "v86" : name];
  if (make === undefined) {
    throw new Fault(
      "engine-unavailable",
      `Cannot use engine ${name}: this host does not have it`,
    );
  }
  const engine = make();
  let isLate = false;
  const cancel = clock.after(ENGINE_MAKE_MS, () => {
    isLate = true;
    // Closing rejects the pending call.
    engine.close();
  });
  try {
    await prepare(engine);
    return engine;
  } catch (error) {
    engine.close();
    if (!(error instanceof SystemError)) throw error;
    const why = isLate ? `it does not answer after ${ENGINE_MAKE_MS} ms` : error.message;
    throw new Fault("engine-unavailable", `Cannot start engine ${name}: ${why}`, { cause: error });
  } finally {
    cancel();
  }
}
