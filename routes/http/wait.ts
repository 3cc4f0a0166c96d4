import type { Context } from "hono";
import { Fault } from "../../src/core/faults.ts";
import { preferredWaitMs } from "../../src/wire/http/prefer.ts";
import type { Env } from "./env.ts";

/** How the caller of a long poll waits. */
interface Wait {
  /** What the caller prefers, in milliseconds; `undefined` when it names no wait. */
  readonly preferredMs: number | undefined;
  /** How long to wait at most, in milliseconds. A caller that prefers nothing does not wait. */
  readonly waitMs: number;
  /** Ends the wait when the caller goes away or the daemon stops. */
  readonly signal: AbortSignal;
}

/** How the caller waits, by its `Prefer` header. The answer says that the preference is honoured. */
export function waitOf(c: Context<Env>, stopping: AbortSignal): Wait {
  const preferredMs = preferredWaitMs(c.req.header("prefer"));
  if (preferredMs !== undefined) c.header("preference-applied", `wait=${preferredMs / 1000}`);
  return {
    preferredMs,
    waitMs: preferredMs ?? 0,
    // Made only for those who really wait: it costs more than many answers.
    get signal() {
      return endsWait(c, stopping);
    },
  };
}

/** What ends the wait of a caller: it goes away, the daemon stops, or it may not wait any more. */
export function endsWait(c: Context<Env>, stopping: AbortSignal): AbortSignal {
  c.set("isWaiting", true);
  return AbortSignal.any([stopping, c.req.raw.signal, c.get("principal").ended]);
}

/**
 * Waits for a caller that is refused when its time is up. When the daemon stops, that proves nothing
 * of what it waited for.
 *
 * @throws {Fault} `shutting-down` instead of the refusal when the daemon stops
 */
export async function waitFor<Found>(
  stopping: AbortSignal,
  found: Promise<Found>,
): Promise<Found> {
  try {
    return await found;
  } catch (refusal) {
    if (!stopping.aborted) throw refusal;
    throw new Fault("shutting-down", "Cannot wait any longer: the daemon is stopping; ask again", {
      cause: refusal,
    });
  }
}
