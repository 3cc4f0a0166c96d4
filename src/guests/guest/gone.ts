import type { GuestEngine } from "../../core/ports/guest_engine.ts";
import { SystemError } from "../../core/system_error.ts";

/** What is left of the engine of a guest that did not outlive its daemon: only the name. */
export function goneEngine(name: string): GuestEngine {
  const gone = (): Promise<never> =>
    Promise.reject(new SystemError("ECANCELED", "run", "an engine of an earlier process"));
  return {
    name,
    initialize: gone,
    restore: gone,
    run: gone,
    registers: gone,
    setRegisters: gone,
    read: gone,
    write: gone,
    capture: gone,
    attach: gone,
    detach: gone,
    identify: gone,
    send: gone,
    serve() {},
    onNotified() {},
    interrupt() {},
    raise() {},
    close() {},
  };
}
