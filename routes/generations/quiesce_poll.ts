import type { Context } from "hono";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { PolledQuiesces } from "../../src/sessions/polled_quiesces.ts";
import type { Env } from "../http/env.ts";
import { waitOf } from "../http/wait.ts";

const polled = new PolledQuiesces();

/**
 * Runs a long poll that a quiesce wakes as well. The answer names the quiesce that is on.
 *
 * @param stopping Ends the poll when the daemon stops
 * @param known The quiesce that the caller says it knows of
 * @param watcher Whose poll it is, if it is one's
 */
export async function pollWithQuiesce<Found>(
  c: Context<Env>,
  scope: LiveScope,
  stopping: AbortSignal,
  { known, watcher }: { readonly known: string | undefined; readonly watcher?: string },
  poll: (waitMs: number, signal: AbortSignal) => Promise<Found>,
): Promise<Found> {
  const wait = waitOf(c, stopping);
  const { waitMs } = wait;
  const before = watcher === undefined ? scope.state.quiesce?.id : polled.knownTo(scope, watcher);
  const { signal, stop } = polled.watch(scope, known === undefined ? before : idOf(known));
  try {
    if (waitMs === 0) return await poll(0, signal);
    const found = await poll(waitMs, AbortSignal.any([wait.signal, signal]));
    // A bump ends the quiesce: what the poll waits for may be there in the same instant.
    return found ?? await poll(0, signal);
  } finally {
    stop();
    if (watcher !== undefined) polled.tell(scope, watcher);
    const { quiesce } = scope.state;
    if (quiesce !== undefined) c.header("innkeeper-quiesce", quiesce.id);
  }
}

function idOf(known: string): string | undefined {
  return known === "none" ? undefined : known;
}
