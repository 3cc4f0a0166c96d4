/**
 * The types of what the console reads from the API, taken from the schemas of the daemon.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { HistoryView, PageView, ScopeView, WatcherView } from "../wire/generations.ts";

/** A scope as the API shows it. */
export type Scope = z.infer<typeof ScopeView>;
/** A watcher as the API shows it. */
export type Watcher = z.infer<typeof WatcherView>;
/** A bump of the past as the API shows it. */
export type PastBump = z.infer<typeof HistoryView>["items"][number];
/** Where the pages of a scope are, as the API shows it. */
export type Page = z.infer<typeof PageView>;

/** One page of a list. */
export interface List<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

/** An event as the stream tells it. */
export interface DaemonEvent {
  readonly kind: string;
  readonly subject: string;
}

/** How the page is connected with the daemon. */
export type Connection =
  | { readonly state: "connecting" | "live" | "slow" }
  | { readonly state: "lost"; readonly retryAtMs: number }
  | { readonly state: "refused"; readonly why: string };
