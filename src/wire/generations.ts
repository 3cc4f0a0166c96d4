import { z } from "@hono/zod-openapi";
import {
  BARRIER_MS_MAX,
  BARRIER_NAMES_MAX,
  EXPECTED_NAMES_MAX,
  FORGET_LOST_MS_MAX,
  LEASE_MS_MAX,
  LIST_ITEMS_MAX,
  NAME_CHARS_MAX,
  QUIESCE_MS_DEFAULT,
  QUIESCE_MS_MAX,
  U32_MAX,
  WATCHERS_PER_SCOPE_MAX,
} from "../core/limits.ts";
import { VISIBILITIES } from "../core/ports/page_file.ts";
import { PHASES } from "../generations/phase.ts";
import { DEFAULT_OPTIONS, ON_DISCONNECT, ON_LOST } from "../generations/scope_options.ts";
import { SHOWN_PRESENCES } from "../generations/watcher.ts";
import {
  BARRIER_OPEN_EXAMPLE,
  HISTORY_EXAMPLE,
  PAGE_EXAMPLE,
  SCOPE_EXAMPLE,
  WATCHER_EXAMPLE,
} from "./generation_examples.ts";
import {
  digits,
  Flag,
  Name,
  pageQuery,
  pageView,
  Reason,
  refuse,
  Time,
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
  example: 1,
});

const Epoch = U64Text.describe("How many bumps the scope has had; it never wraps");
const Unique = z.string().openapi({
  description:
    "16 random bytes of this bump in hexadecimal: they tell clones of one snapshot apart",
  example: "6f1d3c5e8a9b4c2d8e7f60718293a4b5",
});

/** Members that a scope's options have, both as they are written and as they are shown. */
const OPTIONS = {
  requireQuiesce: "Whether a bump is refused until every tracked watcher has quiesced",
  trackOnOpen: "Whether every watcher is tracked from its start",
  onDisconnect:
    "What the end of a tracked watcher's connection means: it is held, or it is forgotten",
  onLost: "What lost watchers mean for a barrier: they block it, or it opens without them",
  expect: "Names, or prefixes that end in `*`, of which somebody must confirm each generation",
} as const;

const FORGET_LOST =
  "Lost watchers are forgotten after so many milliseconds; 0 is never. It needs onLost: open";

/** `PUT /v1/scopes/{s}`. */
export const ScopeOptionsBody = z.strictObject({
  requireQuiesce: z.boolean().default(DEFAULT_OPTIONS.requireQuiesce)
    .describe(OPTIONS.requireQuiesce),
  trackOnOpen: z.boolean().default(DEFAULT_OPTIONS.trackOnOpen).describe(OPTIONS.trackOnOpen),
  onDisconnect: wordOf(ON_DISCONNECT).default(DEFAULT_OPTIONS.onDisconnect)
    .describe(OPTIONS.onDisconnect),
  onLost: wordOf(ON_LOST).default(DEFAULT_OPTIONS.onLost).describe(OPTIONS.onLost),
  expect: z.array(NamePattern).max(EXPECTED_NAMES_MAX).default([]).openapi({
    description: OPTIONS.expect,
    example: ["app", "worker-*"],
  }),
  atLeast: AtLeast.default(DEFAULT_OPTIONS.atLeast),
  forgetLostMs: z.int().min(0).max(FORGET_LOST_MS_MAX).default(DEFAULT_OPTIONS.forgetLostMs)
    .describe(FORGET_LOST),
}).superRefine(({ forgetLostMs, onLost }, ctx) => {
  if (forgetLostMs > 0 && onLost !== "open") {
    refuse(
      ctx,
      `forgetLostMs needs onLost "open", since a scope that blocks must not open by time alone: ` +
        `received ${forgetLostMs} with onLost "${onLost}"`,
      "value-not-allowed",
    );
  }
}).openapi("ScopeOptions", {
  example: { expect: ["app", "worker-*"], onLost: "block" },
  description: "How a scope treats its watchers. What is left out has its default",
});

/** `POST /v1/scopes/{s}/bumps`. The domain judges the minimum's range: it has a code of its own. */
export const BumpBody = z.strictObject({
  minimum: z.number().superRefine((minimum, ctx) => {
    if (!Number.isInteger(minimum)) refuse(ctx, `must be a whole number: received ${minimum}`);
  }).optional().openapi({
    type: "integer",
    minimum: 0,
    description: "The new generation is at least this; the next one when it is left out",
  }),
  reason: Reason.describe("Why, for those who read the history"),
  force: z.boolean().optional().openapi({
    description: "Bump although not all have quiesced; needs `admin`",
  }),
}).openapi("BumpRequest", {
  example: { reason: "restored from snapshot 12" },
  description: "A change of generation",
});

/** `POST /v1/scopes/{s}/quiesce`. */
export const QuiesceBody = z.strictObject({
  reason: Reason.describe("Why, for the watchers that are asked"),
  maxMs: z.int().min(1).max(QUIESCE_MS_MAX).default(QUIESCE_MS_DEFAULT)
    .describe("The quiesce ends by itself after this many milliseconds"),
}).openapi("QuiesceRequest", {
  example: { reason: "a snapshot is taken", maxMs: 10_000 },
  description: "A request to stand still",
});

/** How long a watcher is held before it is lost, in milliseconds. */
export const LeaseMs = z.int().min(1).max(LEASE_MS_MAX).openapi({
  description: "How long the watcher is held before it is lost, in milliseconds",
  example: 60_000,
});

/** What tells one quiesce from another. */
export const QuiesceId = z.string().min(1).max(64).openapi({
  description: "Tells this quiesce from every other one; answers carry it",
  example: "q-0123456789abcdef",
});

/** What a watcher shows to go on as the same one. */
export const ResumeToken = z.string().min(1).max(128);

const Decimal = z.string().regex(/^[0-9]{1,20}$/);

/** The process that a watcher is in. It counts only when the kernel's credentials agree. */
export const ProcessBody = z.strictObject({
  bootId: z.string().min(1).max(64).describe("What /proc/sys/kernel/random/boot_id says"),
  pidNamespace: Decimal.describe("The number in the link /proc/self/ns/pid"),
  pid: z.int().min(1).max(U32_MAX).describe("Its number in that namespace"),
  startTime: Decimal.describe("When it started: field 22 of /proc/self/stat"),
}).openapi("Process", {
  example: {
    bootId: "3f1c0a52-7d7e-4b1c-9c9a-0d6f5b1c2e3d",
    pidNamespace: "4026531836",
    pid: 4242,
    startTime: "123456",
  },
  description: "The process that a watcher is in; believed only if the kernel says so too",
});

/** `PUT /v1/scopes/{s}/watchers/{w}`. */
export const HttpWatcherBody = z.strictObject({
  track: z.boolean().describe("Whether barriers wait for the watcher"),
  leaseMs: LeaseMs.optional(),
  name: Name.optional().describe("The name that a scope may expect; the id when it is left out"),
  token: ResumeToken.optional().describe("The newest token, to go on as this watcher"),
  epoch: U64.optional()
    .describe("With a token: the epoch that it confirmed last; it is outdated without"),
  process: ProcessBody.optional(),
}).openapi("WatcherRequest", {
  example: { track: true, leaseMs: 60_000, name: "app" },
  description: "A watcher over HTTP",
});

const Confirmed = U32.describe("The generation that is confirmed; it must be the current one");

/** `PUT …/watchers/{w}/ack`. */
export const AckBody = z.strictObject({
  generation: Confirmed,
  epoch: U64.optional().describe("The epoch of that generation, which must match as well"),
}).openapi("AckRequest", { description: "A confirmation of exactly one generation" });

/** `PUT …/watchers/{w}/failure`. */
export const FailureBody = z.strictObject({
  generation: U32.describe("The generation to which the watcher could not adapt"),
  reason: Reason.openapi({
    description: "Why it could not; the barrier shows it",
    example: "no entropy source",
  }),
}).openapi("FailureRequest", { description: "A report that a watcher could not adapt" });

/** `PUT …/watchers/{w}/quiesced`. */
export const QuiescedBody = z.strictObject({
  quiesce: QuiesceId.optional().describe(
    "Which quiesce is answered; without it the one that is on",
  ),
  cannot: Reason.optional().describe("Why it cannot stand still; the one who asked is told"),
}).openapi("QuiescedRequest", { description: "The answer to a quiesce" });

/** `?generation=&epoch=&watcher=&timeoutMs=` of the barrier. */
export const BarrierQuery = z.strictObject({
  generation: digits(10).pipe(U32).optional().openapi({
    type: "integer",
    minimum: 0,
    maximum: U32_MAX,
    example: 7,
    description: "The generation that the caller means; another one is `generation-changed`",
  }),
  epoch: U64.optional().describe("The epoch that the caller means"),
  watcher: z.string().max(64).optional().openapi({
    example: "app-1",
    description: "Id of the watcher that the caller is: it must have confirmed as well",
  }),
  timeoutMs: digits(20).optional().openapi({
    type: "integer",
    minimum: 0,
    example: 30_000,
    description: "How long to wait in milliseconds, 0 without a limit, as the driver's call has " +
      `it; ${BARRIER_MS_MAX} at most. Not beside \`Prefer: wait\``,
  }),
  atLeast: digits(5).pipe(AtLeast).optional().openapi({
    type: "integer",
    minimum: 0,
    maximum: WATCHERS_PER_SCOPE_MAX,
    example: 1,
    description: "How many watchers must have confirmed at least, for this call alone",
  }),
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
export const ForceQuery = z.strictObject({
  force: OptionalFlag.openapi({
    example: "true",
    description: "Delete it although somebody watches it; needs `admin`",
  }),
});

/** `?tracked=&outdated=&limit=&cursor=` of the list of watchers. */
export const WatchersQuery = z.strictObject({
  ...pageQuery(ID_CHARS_MAX),
  tracked: OptionalFlag.openapi({
    example: "true",
    description: "Only watchers that are tracked, or only those that are not",
  }),
  outdated: OptionalFlag.openapi({
    example: "true",
    description: "Only watchers that have not confirmed, or only those that have",
  }),
});

/** `{s}`, the name of a scope. */
export const ScopeParam = z.object({ s: Name.describe("Name of the scope") });

/** `{s}` and `{w}`, a watcher of a scope. */
export const WatcherParam = ScopeParam.extend({
  w: Name.openapi({ description: "Id of the watcher", example: "app-1" }),
});

const Phase = z.enum(PHASES).openapi({
  description: "`running`: nobody is waited for; `settling`: some have yet to confirm; " +
    "`quiescing` and `quiesced`: watchers stand still, or are asked to",
});

/** A scope as it is shown. */
export const ScopeView = z.object({
  name: Name.describe("Its name"),
  generation: U32.describe("Its current generation"),
  epoch: Epoch,
  unique: Unique,
  phase: Phase,
  reason: z.string().openapi({ description: "Of the last bump" }),
  changedAt: Time.describe("When the last bump was"),
  watchers: z.int().describe("All watchers"),
  tracked: z.int().describe("Watchers that barriers wait for"),
  outdated: z.int().openapi({ description: "Tracked watchers that have not confirmed" }),
  failed: z.int().openapi({ description: "Of the outdated: those who could not adapt" }),
  held: z.int().openapi({ description: "Of the outdated: those whose connection ended" }),
  lost: z.int().openapi({ description: "Of the outdated: those whose lease ran out as well" }),
  settledGeneration: U32.optional().describe("The last generation that all have confirmed"),
  quiesce: z.object({
    quiesce: QuiesceId,
    reason: z.string().describe("Why it was asked for"),
    maxMs: z.int().describe("How long it lasts at most, in milliseconds"),
    since: Time.describe("When it was asked for"),
    waiting: z.int().openapi({ description: "Tracked watchers that have not followed it" }),
  }).optional().openapi({ description: "The quiesce that is on" }),
  page: z.string().describe("Path of its page on the host"),
  requireQuiesce: z.boolean().describe(OPTIONS.requireQuiesce),
  trackOnOpen: z.boolean().describe(OPTIONS.trackOnOpen),
  onDisconnect: z.enum(ON_DISCONNECT).describe(OPTIONS.onDisconnect),
  onLost: z.enum(ON_LOST).describe(OPTIONS.onLost),
  expect: z.array(z.string()).describe(OPTIONS.expect),
  atLeast: z.int().describe("How many watchers must have confirmed the generation at least"),
  forgetLostMs: z.int().describe(FORGET_LOST),
  confirmed: z.int().openapi({ description: "Watchers that have confirmed this generation" }),
  unmet: z.array(z.string()).openapi({ description: "Expected names that have not confirmed it" }),
}).openapi("Scope", {
  example: SCOPE_EXAMPLE,
  description: "What is restored or cloned as a whole, with its counter and who watches it",
});

/** A page of scopes. */
export const ScopeList = pageView(ScopeView)
  .openapi("ScopeList", { description: "A page of scopes" });

const GenerationMembers = {
  generation: U32.describe("The generation, which wraps from 4294967295 to 0"),
  epoch: Epoch,
  unique: Unique,
};

/** A generation with what tells it from all others. */
export const GenerationView = z.object(GenerationMembers).openapi("Generation", {
  description: "A generation with what tells it from all others",
});

const BumpMembers = {
  ...GenerationMembers,
  outdated: z.int().describe("Tracked watchers that had to confirm it"),
};

/** The last bumps of a scope, newest first. */
export const HistoryView = z.object({
  items: z.array(z.object({
    ...BumpMembers,
    reason: z.string().describe("Why it was made"),
    by: z.string().describe("Who asked for it"),
    at: Time.describe("When it was made"),
    tookMs: z.number().optional().openapi({ description: "Until all had confirmed" }),
  })).describe("The bumps, newest first"),
}).openapi("History", {
  example: HISTORY_EXAMPLE,
  description: "The last bumps of a scope",
});

/** How far a quiesce has come. */
export const QuiesceView = z.object({
  quiesce: QuiesceId,
  phase: Phase,
  reason: z.string().describe("Why it was asked for"),
  maxMs: z.int().describe("How long it lasts at most, in milliseconds"),
}).openapi("Quiesce", {
  example: {
    quiesce: "q-0123456789abcdef",
    phase: "quiescing",
    reason: "a snapshot is taken",
    maxMs: 10_000,
  },
  description: "How far a quiesce has come",
});

/** A watcher as it is shown. */
export const WatcherView = z.object({
  watcher: z.string().describe("Its id"),
  name: Name.describe("Its name, which a scope may expect"),
  owner: z.string().optional().describe(
    "The principal that registered it: only that one and admins speak for it",
  ),
  tracked: z.boolean().describe("Whether barriers wait for it"),
  presence: z.enum(SHOWN_PRESENCES).describe(
    "`connected`; `held`: its connection ended; `lost`: its lease has run out as well; " +
      "`superseded`: somebody came with its token, and nothing proves that it is gone",
  ),
  presenceSince: Time.describe("Since when its presence is so"),
  leaseMs: z.int().describe("How long it is held before it is lost, in milliseconds"),
  outdated: z.boolean().describe("Whether it is waited for: tracked, and not confirmed"),
  outdatedSince: Time.optional().describe(
    "Time of the first bump that it has not confirmed; the last bump's after a restart",
  ),
  toldAt: Time.optional().describe(
    "When it was sent the current generation; not that it has read it",
  ),
  supersededBy: z.string().optional().describe("The watcher that came with its token"),
  cannotQuiesce: z.string().optional().describe("Why it cannot stand still"),
  quiesced: z.boolean().describe("Whether it stands still"),
  failed: z.boolean().describe("Whether it said that it could not adapt"),
  failure: z.string().optional().describe("Why it could not adapt"),
  failedAt: Time.optional().describe("When it said so"),
  ackedGeneration: U32.optional().describe("The generation that it confirmed last"),
  ackedAt: Time.optional().describe("When it did"),
  process: z.object({
    pid: z.int().describe("Its number; 0 when Innkeeper cannot see it"),
    comm: z.string().describe("What the kernel calls it"),
  }).optional().openapi({
    description: "The process that opened the file of the mount which this watcher is",
    example: { pid: 4711, comm: "nginx" },
  }),
}).openapi("Watcher", {
  example: WATCHER_EXAMPLE,
  description: "Somebody who wants to be told of generations",
});

/** A watcher over HTTP with its next token. */
export const HttpWatchingView = WatcherView.extend({
  token: z.string().optional().describe(
    "To be shown with the next call, as `Innkeeper-Watcher-Token`; each confirmation gives another",
  ),
}).openapi("HttpWatching", { description: "A watcher over HTTP, as it was registered" });

/** A page of watchers. */
export const WatcherList = pageView(WatcherView)
  .openapi("WatcherList", { description: "A page of watchers" });

const NamedWatcher = z.object({
  watcher: z.string().describe("Its id"),
  name: Name.describe("Its name"),
});

/** An open barrier, with the evidence for it: who has confirmed, and who was not waited for. */
export const BarrierOpenView = z.object({
  generation: U32.describe("The generation for which it is open"),
  epoch: Epoch,
  confirmed: z.array(NamedWatcher.extend({ at: Time.describe("When it confirmed") }))
    .openapi({ description: `Who has confirmed, the first ${LIST_ITEMS_MAX}` }),
  confirmedCount: z.int().describe("How many have confirmed, all of them"),
  lost: z.array(NamedWatcher).openapi({ description: "Lost, and the scope lets that pass" }),
  left: z.array(NamedWatcher).openapi({
    description: `Tracked and gone before they had confirmed, the last ${BARRIER_NAMES_MAX}`,
  }),
  dead: z.array(NamedWatcher).openapi({
    description: "Superseded, and gone with their process before they had confirmed",
  }),
  superseded: z.array(NamedWatcher.extend({ supersededBy: z.string().describe("Who came") }))
    .openapi({
      description: "Of the lost: those whose token somebody else came with",
    }),
  forgotten: z.array(NamedWatcher).openapi({
    description: `Lost for so long that nobody waits for them, the last ${BARRIER_NAMES_MAX}`,
  }),
  expect: z.array(z.string()).describe(OPTIONS.expect),
  atLeast: z.int().describe("How many watchers the scope wants to have confirmed at least"),
}).openapi("BarrierOpen", {
  example: BARRIER_OPEN_EXAMPLE,
  description: "The evidence of an open barrier: who has confirmed, and who was not waited for",
});

/** What a bump made. */
export const BumpView = z.object({
  ...BumpMembers,
  barrier: BarrierOpenView.optional().openapi({
    description: "With `Prefer: wait=N`: the barrier opened, and this is the evidence for it",
  }),
}).openapi("Bump", {
  example: { generation: 7, epoch: "7", unique: "6f1d3c5e8a9b4c2d8e7f60718293a4b5", outdated: 2 },
  description: "A generation that a bump made",
});

/** `?atLeast=` of a bump that waits for its barrier. */
export const BumpQuery = z.object({ atLeast: BarrierQuery.shape.atLeast });

/** Where the pages of a scope are, and how to give them to a container. */
export const PageView = z.object({
  path: z.string().describe("Path of the sysgenid page on the host"),
  vmclockPath: z.string().describe("Path of the page in the layout of VMClock"),
  sizeBytes: z.int().describe("Size of either page in bytes"),
  layout: z.literal("sysgenid").describe("What `path` holds: a native-endian u32 at offset 0"),
  reach: z.enum(VISIBILITIES).describe("Who on the host can open the pages"),
  bindMount: z.string().describe("The argument by which a container gets the page"),
}).openapi("Page", {
  example: PAGE_EXAMPLE,
  description: "Where the pages of a scope are",
});
