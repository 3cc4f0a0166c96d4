import { z } from "@hono/zod-openapi";
import { PHASES } from "../generations/phase.ts";
import { Name, U32, U64Text } from "./scalars.ts";

const Id = z.union([z.int().min(0), z.string()]);
const Generation = { scope: Name, generation: U32, epoch: U64Text };

/** Every frame that the daemon sends in `innkeeper.watch.v1`. */
export const SERVER_FRAMES = {
  hello: z.strictObject({
    type: z.literal("hello"),
    heartbeatMs: z.int(),
    limits: z.strictObject({ frameBytes: z.int(), scopes: z.int() }),
  }),
  watching: z.strictObject({
    type: z.literal("watching"),
    id: Id,
    ...Generation,
    watcher: z.string(),
    unique: z.string(),
    outdated: z.boolean(),
    resumed: z.boolean(),
    token: z.string().optional(),
  }),
  generation: z.strictObject({
    type: z.literal("generation"),
    ...Generation,
    watcher: z.string(),
    unique: z.string(),
    reason: z.string(),
  }),
  acked: z.strictObject({
    type: z.literal("acked"),
    id: Id,
    scope: Name,
    outdated: z.int().min(0),
  }),
  failed: z.strictObject({ type: z.literal("failed"), id: Id, scope: Name }),
  quiesce: z.strictObject({
    type: z.literal("quiesce"),
    scope: Name,
    quiesce: z.string(),
    epoch: U64Text,
    reason: z.string(),
    maxMs: z.int(),
  }),
  quiesced: z.strictObject({ type: z.literal("quiesced"), id: Id, scope: Name }),
  unquiesce: z.strictObject({ type: z.literal("unquiesce"), scope: Name, quiesce: z.string() }),
  settled: z.strictObject({ type: z.literal("settled"), ...Generation, tookMs: z.number().min(0) }),
  progress: z.strictObject({
    type: z.literal("progress"),
    ...Generation,
    phase: z.enum(PHASES),
    outdated: z.int().min(0),
  }),
  unwatched: z.strictObject({ type: z.literal("unwatched"), id: Id.optional(), scope: Name }),
  attached: z.strictObject({ type: z.literal("attached"), id: Id }),
  notify: z.strictObject({
    type: z.literal("notify"),
    guest: Name,
    address: U32,
    count: z.int().min(1),
  }),
  drained: z.strictObject({ type: z.literal("drained"), id: Id, count: z.int().min(0) }),
  error: z.strictObject({
    type: z.literal("error"),
    id: Id,
    problem: z.looseObject({ code: z.string(), status: z.int(), detail: z.string() }),
  }),
  ping: z.strictObject({ type: z.literal("ping"), at: z.unknown() }),
  pong: z.strictObject({ type: z.literal("pong"), at: z.unknown() }),
} as const satisfies Record<string, z.ZodType>;
