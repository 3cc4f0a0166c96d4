import type { z } from "@hono/zod-openapi";
import { LIST_ITEMS_MAX } from "../../src/core/limits.ts";
import { rfc3339 } from "../../src/wire/time.ts";
import type { BarrierOpen } from "../../src/generations/barrier.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import type { Bump } from "../../src/generations/bump.ts";
import type { Departure } from "../../src/generations/confirmations.ts";
import type { ScopeState } from "../../src/generations/scope.ts";
import type { ScopeOptions } from "../../src/generations/scope_options.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import { processView, shownPresence, type Watcher } from "../../src/generations/watcher.ts";
import type {
  BarrierOpenView,
  GenerationView,
  ScopeView,
  WatcherView,
} from "../../src/wire/generations.ts";
import { endpointsOf } from "../http/endpoint.ts";

/** Declares an endpoint of scopes. `stopping` ends long polls when the daemon stops. */
export const endpoint = endpointsOf<
  { readonly scopes: Scopes; readonly stopping: AbortSignal }
>("generations");

/** A scope as the API shows it. */
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
    settledGeneration,
    quiesce: quiesce && {
      quiesce: quiesce.id,
      reason: quiesce.reason,
      maxMs: quiesce.maxMs,
      since: rfc3339(quiesce.atNs),
      waiting: [...state.notQuiesced()].length,
    },
    page: pages.sysgenid.path,
    ...state.options,
    expect: [...state.options.expect],
    confirmed: state.confirmedCount,
    unmet: [...state.unmet().names],
  };
}

/** A generation as the API shows it. */
export function generationView(
  { generation, epoch, unique }: Bump,
): z.infer<typeof GenerationView> {
  return { generation, epoch: String(epoch), unique };
}

/** A watcher as the API shows it. */
export function watcherView(scope: ScopeState, watcher: Watcher): z.infer<typeof WatcherView> {
  const { id, name, owner, tracked, leaseMs, ackedGeneration, ackedAtNs, supersededBy } = watcher;
  const { outdatedSinceNs, notified, process } = watcher;
  const failed = scope.hasFailed(watcher);
  const failure = failed ? watcher.failure : undefined;
  return {
    watcher: id,
    name,
    owner,
    tracked,
    presence: shownPresence(watcher),
    presenceSince: rfc3339(watcher.presenceSinceNs),
    leaseMs,
    outdated: scope.isOutdated(watcher),
    outdatedSince: timeOf(outdatedSinceNs),
    toldAt: notified?.epoch === scope.epoch ? rfc3339(notified.atNs) : undefined,
    supersededBy,
    quiesced: scope.hasQuiesced(watcher),
    cannotQuiesce: scope.inability(watcher),
    failed,
    failure: failure?.reason,
    failedAt: timeOf(failure?.atNs),
    ackedGeneration,
    ackedAt: timeOf(ackedAtNs),
    process: process && processView(process),
  };
}

/** An open barrier with its evidence, as the API shows it. */
export function barrierOpenView(
  { generation, epoch, confirmed, departed, forgotten, lost }: BarrierOpen,
  { expect, atLeast }: ScopeOptions,
): z.infer<typeof BarrierOpenView> {
  const named = ({ id, name }: Pick<Departure, "id" | "name">) => ({ watcher: id, name });
  return {
    generation,
    epoch: String(epoch),
    confirmed: confirmed.slice(0, LIST_ITEMS_MAX)
      .map((watcher) => ({ ...named(watcher), at: rfc3339(watcher.ackedAtNs ?? 0n) })),
    confirmedCount: confirmed.length,
    lost: lost.map(named),
    left: departed.filter(({ why }) => why === "released").map(named),
    dead: departed.filter(({ why }) => why === "dead").map(named),
    superseded: lost.flatMap((watcher) => {
      const { supersededBy } = watcher;
      return supersededBy === undefined ? [] : [{ ...named(watcher), supersededBy }];
    }),
    forgotten: forgotten.map(named),
    expect: [...expect],
    atLeast,
  };
}

function timeOf(ns: bigint | undefined): string | undefined {
  return ns === undefined ? undefined : rfc3339(ns);
}
