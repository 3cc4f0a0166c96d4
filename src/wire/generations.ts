import { z } from "@hono/zod-openapi";
import {
  BARRIER_NAMES_MAX,
  EXPECTED_NAMES_MAX,
  LEASE_MS_MAX,
  LIST_ITEMS_MAX,
  NAME_CHARS_MAX,
  QUIESCE_MS_DEFAULT,
  QUIESCE_MS_MAX,
  WATCHERS_PER_SCOPE_MAX,
} from "../core/limits.ts";
import { VISIBILITIES } from "../core/ports/page_file.ts";
import { PHASES } from "../generations/phase.ts";
import { DEFAULT_OPTIONS, ON_DISCONNECT, ON_LOST } from "../generations/scope_options.ts";
import { PRESENCES } from "../generations/watcher.ts";
import {
  digits,
  Flag,
  Name,
  pageQuery,
  pageView,
  Reason,
  refuse,
  U32,
  U64,
  U64Text,
  wordOf,
} from "./scalars.ts";

/** A name, or a prefix that ends in `*`. */
const NamePattern = z.string().max(NAME_CHARS_MAX + 1).superRefine((pattern, ctx) => {
  const name = pattern.endsWith("*") ? pattern.slice(0, -1) : pattern;
  if (pattern !== "*" && !Name.safeParse(name).success) {
    refuse(ctx, `must be a name, or a prefix that ends in "*": received "${pattern}"`);
  }
});

const AtLeast = z.int().min(0).max(WATCHERS_PER_SCOPE_MAX).openapi({
  description: "How many watchers must have confirmed the generation at least",
});

/** `PUT /v1/scopes/{s}`. */
export const ScopeOptionsBody = z.strictObject({
  requireQuiesce: z.boolean().default(DEFAULT_OPTIONS.requireQuiesce),
  trackOnOpen: z.boolean().default(DEFAULT_OPTIONS.trackOnOpen),
  onDisconnect: wordOf(ON_DISCONNECT).default(DEFAULT_OPTIONS.onDisconnect),
  onLost: wordOf(ON_LOST).default(DEFAULT_OPTIONS.onLost),
  expect: z.array(NamePattern).max(EXPECTED_NAMES_MAX).default([]).openapi({
    description:
      "Names, or prefixes that end in `*`, of which somebody must confirm each generation",
    example: ["app", "worker-*"],
  }),
  atLeast: AtLeast.default(DEFAULT_OPTIONS.atLeast),
}).openapi("ScopeOptions");

/** `POST /v1/scopes/{s}/bumps`. The domain judges the minimum's range: it has a code of its own. */
export const BumpBody = z.strictObject({
  minimum: z.number().superRefine((minimum, ctx) => {
    if (!Number.isInteger(minimum)) refuse(ctx, `must be an integer: received ${minimum}`);
  }).optional().openapi({ type: "integer", minimum: 0 }),
  reason: Reason,
  force: z.boolean().optional().openapi({ description: "Although not quiesced; needs admin" }),
}).openapi("BumpRequest");

/** `POST /v1/scopes/{s}/quiesce`. */
export const QuiesceBody = z.strictObject({
  reason: Reason,
  maxMs: z.int().min(1).max(QUIESCE_MS_MAX).default(QUIESCE_MS_DEFAULT),
}).openapi("QuiesceRequest");

/** How long a watcher is held before it is lost, in milliseconds. */
export const LeaseMs = z.int().min(1).max(LEASE_MS_MAX);

/** `PUT /v1/scopes/{s}/watchers/{w}`. */
export const HttpWatcherBody = z.strictObject({
  track: z.boolean(),
  leaseMs: LeaseMs.optional(),
  name: Name.optional(),
}).openapi("WatcherRequest");

/** `PUT …/watchers/{w}/ack`. */
export const AckBody = z.strictObject({ generation: U32, epoch: U64.optional() })
  .openapi("AckRequest");

/** `PUT …/watchers/{w}/failure`. */
export const FailureBody = z.strictObject({ generation: U32, reason: Reason })
  .openapi("FailureRequest");

/** `?generation=&epoch=&watcher=&timeoutMs=` of the barrier. */
export const BarrierQuery = z.strictObject({
  generation: digits(10).pipe(U32).optional().openapi({ type: "integer" }),
  epoch: U64.optional(),
  watcher: z.string().max(64).optional(),
  timeoutMs: digits(20).optional().openapi({ type: "integer" }),
  atLeast: digits(5).pipe(AtLeast).optional().openapi({ type: "integer" }),
});

const ID_CHARS_MAX = 128;

/** `?phase=&limit=&cursor=` of the list of scopes. */
export const ScopesQuery = z.strictObject({
  ...pageQuery(ID_CHARS_MAX),
  phase: z.string().max(64).transform((text) => text.split(",")).pipe(z.array(z.enum(PHASES)))
    .optional().openapi({
      type: "string",
      example: "settling,quiescing",
      description: `Only scopes in one of these phases: ${PHASES.join(", ")}`,
    }),
});

const OptionalFlag = Flag.optional().openapi({ type: "string", enum: ["true", "false"] });

/** `?force=true` of a deletion. */
export const ForceQuery = z.strictObject({ force: OptionalFlag });

/** `?tracked=&outdated=&limit=&cursor=` of the list of watchers. */
export const WatchersQuery = z.strictObject({
  ...pageQuery(ID_CHARS_MAX),
  tracked: OptionalFlag,
  outdated: OptionalFlag,
});

/** A scope as it is shown. */
export const ScopeView = z.object({
  name: Name,
  generation: U32,
  epoch: U64Text,
  unique: z.string(),
  phase: z.enum(PHASES),
  reason: z.string().openapi({ description: "Of the last bump" }),
  changedAt: z.string(),
  watchers: z.int(),
  tracked: z.int(),
  outdated: z.int().openapi({ description: "Tracked watchers that have not confirmed" }),
  failed: z.int().openapi({ description: "Of the outdated: those who could not adapt" }),
  held: z.int().openapi({ description: "Of the outdated: those whose connection ended" }),
  lost: z.int().openapi({ description: "Of the outdated: those whose lease ran out as well" }),
  settledGeneration: U32.optional(),
  quiesce: z.object({
    reason: z.string(),
    maxMs: z.int(),
    since: z.string(),
    waiting: z.int().openapi({ description: "Tracked watchers that have not followed it" }),
  }).optional().openapi({ description: "The quiesce that is on" }),
  page: z.string(),
  requireQuiesce: z.boolean(),
  trackOnOpen: z.boolean(),
  onDisconnect: z.enum(ON_DISCONNECT),
  onLost: z.enum(ON_LOST),
  expect: z.array(z.string()),
  atLeast: z.int(),
  confirmed: z.int().openapi({ description: "Watchers that have confirmed this generation" }),
  unmet: z.array(z.string()).openapi({ description: "Expected names that have not confirmed it" }),
}).openapi("Scope");

/** A page of scopes. */
export const ScopeList = pageView(ScopeView).openapi("ScopeList");

/** A generation with what tells it from all others. */
export const GenerationView = z.object({
  generation: U32,
  epoch: U64Text,
  unique: z.string(),
}).openapi("Generation");

/** What a bump made. */
export const BumpView = GenerationView.extend({ outdated: z.int() }).openapi("Bump");

/** The last bumps of a scope, newest first. */
export const HistoryView = z.object({
  items: z.array(BumpView.extend({
    reason: z.string(),
    by: z.string(),
    at: z.string(),
    tookMs: z.number().optional().openapi({ description: "Until all had confirmed" }),
  })),
}).openapi("History");

/** How far a quiesce has come. */
export const QuiesceView = z.object({
  phase: z.enum(PHASES),
  reason: z.string(),
  maxMs: z.int(),
}).openapi("Quiesce");

/** A watcher as it is shown. */
export const WatcherView = z.object({
  watcher: z.string(),
  name: Name,
  tracked: z.boolean(),
  presence: z.enum(PRESENCES),
  presenceSince: z.string(),
  leaseMs: z.int(),
  outdated: z.boolean(),
  outdatedSince: z.string().optional().openapi({
    description:
      "Time of the first bump that it has not confirmed; the last bump's after a restart",
  }),
  toldAt: z.string().optional().openapi({
    description: "When it was sent the current generation; not that it has read it",
  }),
  quiesced: z.boolean(),
  failed: z.boolean(),
  failure: z.string().optional(),
  failedAt: z.string().optional(),
  ackedGeneration: U32.optional(),
  ackedAt: z.string().optional(),
}).openapi("Watcher");

/** A page of watchers. */
export const WatcherList = pageView(WatcherView).openapi("WatcherList");

const NamedWatcher = z.object({ watcher: z.string(), name: Name });

/** An open barrier, with the evidence for it: who has confirmed, and who was not waited for. */
export const BarrierOpenView = z.object({
  generation: U32,
  epoch: U64Text,
  confirmed: z.array(NamedWatcher.extend({ at: z.string() }))
    .openapi({ description: `Who has confirmed, the first ${LIST_ITEMS_MAX}` }),
  confirmedCount: z.int(),
  lost: z.array(NamedWatcher).openapi({ description: "Lost, and the scope lets that pass" }),
  left: z.array(NamedWatcher).openapi({
    description: `Tracked and gone before they had confirmed, the last ${BARRIER_NAMES_MAX}`,
  }),
  expect: z.array(z.string()),
  atLeast: z.int(),
}).openapi("BarrierOpen");

/** Where the pages of a scope are, and how to give them to a container. */
export const PageView = z.object({
  path: z.string(),
  vmclockPath: z.string(),
  sizeBytes: z.int(),
  layout: z.literal("sysgenid"),
  reach: z.enum(VISIBILITIES),
  bindMount: z.string(),
}).openapi("Page");
