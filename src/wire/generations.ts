import { z } from "@hono/zod-openapi";
import { Name, Reason, U32, U64, U64Text, wordOf } from "./scalars.ts";

/** `PUT /v1/scopes/{s}`. */
export const ScopeOptionsBody = z.strictObject({
  trackOnOpen: z.boolean().default(false),
  onDisconnect: wordOf("hold", "forget").default("hold"),
}).openapi("ScopeOptions");

/** `POST /v1/scopes/{s}/bumps`. The domain judges the minimum's range: it has a code of its own. */
export const BumpBody = z.strictObject({
  minimum: z.number().optional().openapi({ type: "integer", minimum: 0 }),
  reason: Reason,
}).openapi("BumpRequest");

/** `?generation=&epoch=&watcher=&timeoutMs=` of the barrier. */
export const BarrierQuery = z.strictObject({
  generation: z.string().regex(/^[0-9]{1,10}$/).transform(Number).pipe(U32).optional()
    .openapi({ type: "integer" }),
  epoch: U64.optional(),
  watcher: z.string().max(64).optional(),
  timeoutMs: z.string().regex(/^[0-9]{1,20}$/).transform(Number).optional()
    .openapi({ type: "integer" }),
});

/** `?force=true` of a deletion. */
export const ForceQuery = z.strictObject({ force: z.enum(["true", "false"]).optional() });

/** A scope as it is shown. */
export const ScopeView = z.object({
  name: Name,
  generation: U32,
  epoch: U64Text,
  unique: z.string(),
  phase: z.enum(["running", "settling"]),
  reason: z.string(),
  changedAt: z.string(),
  watchers: z.int(),
  tracked: z.int(),
  outdated: z.int(),
  settledGeneration: U32.optional(),
  page: z.string(),
  trackOnOpen: z.boolean(),
  onDisconnect: z.enum(["hold", "forget"]),
}).openapi("Scope");

/** A page of scopes. */
export const ScopeList = z.object({
  items: z.array(ScopeView),
  next: z.string().optional(),
}).openapi("ScopeList");

/** What a bump made. */
export const BumpView = z.object({
  generation: U32,
  epoch: U64Text,
  unique: z.string(),
  outdated: z.int(),
}).openapi("Bump");

/** A watcher as it is shown. */
export const WatcherView = z.object({
  watcher: z.string(),
  name: Name,
  tracked: z.boolean(),
  presence: z.enum(["connected", "held"]),
  outdated: z.boolean(),
  ackedAt: z.string().optional(),
}).openapi("Watcher");

/** A page of watchers. */
export const WatcherList = z.object({
  items: z.array(WatcherView),
  next: z.string().optional(),
}).openapi("WatcherList");

/** Where the page of a scope is, and how to give it to a container. */
export const PageView = z.object({
  path: z.string(),
  sizeBytes: z.int(),
  layout: z.literal("sysgenid"),
  bindMount: z.string(),
}).openapi("Page");
