import { z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/core/time.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import type { Bump } from "../../src/generations/bump.ts";
import type { ScopeState } from "../../src/generations/scope.ts";
import type { Watcher } from "../../src/generations/watcher.ts";
import type { GenerationView, ScopeView, WatcherView } from "../../src/wire/generations.ts";
import { Name } from "../../src/wire/scalars.ts";

/** The path parameter of a scope. */
export const scopeParams = z.object({ s: Name });

/** The tag of these routes. */
export const tags = ["generations"];

/** How a caller of a long poll waits, from its request. */
export function waitOf(
  waitMs: number | undefined,
  request: Request,
  stopping: AbortSignal,
): { waitMs: number; signal: AbortSignal } {
  return { waitMs: waitMs ?? 0, signal: AbortSignal.any([stopping, request.signal]) };
}

/** A scope as it is shown. */
export function scopeView({ state, pages }: LiveScope): z.infer<typeof ScopeView> {
  const { current, settledGeneration, quiesce } = state;
  return {
    name: state.name,
    ...generationView(current),
    phase: state.phase,
    reason: current.reason,
    changedAt: rfc3339(current.atNs),
    ...state.counts,
    ...state.troubles,
    ...(settledGeneration === undefined ? {} : { settledGeneration }),
    ...(quiesce === undefined ? {} : {
      quiesce: {
        reason: quiesce.reason,
        maxMs: quiesce.maxMs,
        since: rfc3339(quiesce.atNs),
        waiting: [...state.notQuiesced()].length,
      },
    }),
    page: pages.sysgenid.path,
    ...state.options,
  };
}

/** A generation as it is shown. */
export function generationView(
  { generation, epoch, unique }: Bump,
): z.infer<typeof GenerationView> {
  return { generation, epoch: String(epoch), unique };
}

/** A watcher as it is shown. */
export function watcherView(scope: ScopeState, watcher: Watcher): z.infer<typeof WatcherView> {
  const { id, name, tracked, presence, leaseMs, ackedGeneration, ackedAtNs, failure } = watcher;
  const { outdatedSinceNs, notified } = watcher;
  const failed = scope.hasFailed(watcher);
  return {
    watcher: id,
    name,
    tracked,
    presence,
    presenceSince: rfc3339(watcher.presenceSinceNs),
    leaseMs,
    outdated: scope.isOutdated(watcher),
    ...(outdatedSinceNs === undefined ? {} : { outdatedSince: rfc3339(outdatedSinceNs) }),
    ...(notified?.epoch === scope.epoch ? { toldAt: rfc3339(notified.atNs) } : {}),
    quiesced: scope.hasQuiesced(watcher),
    failed,
    ...(failed && failure !== undefined
      ? { failure: failure.reason, failedAt: rfc3339(failure.atNs) }
      : {}),
    ...(ackedGeneration === undefined ? {} : { ackedGeneration }),
    ...(ackedAtNs === undefined ? {} : { ackedAt: rfc3339(ackedAtNs) }),
  };
}
