import { z } from "@hono/zod-openapi";
import type { Fault } from "../core/faults.ts";
import { OWNER_TOKEN_CHARS_MAX, SYSGENID_TOKEN_CHARS_MIN } from "../core/limits.ts";
import { LeaseMs, ProcessBody, QuiesceId, ResumeToken } from "./generations.ts";
import { problemOf, toJson } from "./problem.ts";
import { SYSGENID_PROTOCOL, WATCH_PROTOCOL } from "./subprotocols.ts";
import { digits, faultOf, Flag, Name, Reason, U32, U64 } from "./scalars.ts";

const Id = z.union([z.int().min(0), z.string().max(64)]);

/** Every frame that a client may send. */
export const ClientFrame = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("watch"),
    id: Id,
    scope: Name,
    name: Name,
    track: z.boolean().optional()
      .describe("Whether barriers wait for it; a watcher that comes back stays as it was without"),
    progress: z.boolean().default(false)
      .describe("Send `progress` at every step of every watcher of the scope"),
    leaseMs: LeaseMs.optional(),
    token: ResumeToken.optional(),
    epoch: U64.optional()
      .describe("With a token: the epoch that it confirmed last; it is outdated without"),
    process: ProcessBody.optional(),
  }),
  z.strictObject({
    type: z.literal("ack"),
    id: Id,
    scope: Name,
    generation: U32,
    epoch: U64.optional(),
  }),
  z.strictObject({
    type: z.literal("fail"),
    id: Id,
    scope: Name,
    generation: U32,
    reason: Reason,
  }),
  z.strictObject({
    type: z.literal("quiesced"),
    id: Id,
    scope: Name,
    quiesce: QuiesceId.optional()
      .describe("Which quiesce is answered; without it the oldest that was sent and not answered"),
    cannot: Reason.optional().describe("Why it cannot stand still; the one who asked is told"),
  }),
  z.strictObject({ type: z.literal("unwatch"), id: Id, scope: Name, epoch: U64.optional() }),
  z.strictObject({
    type: z.literal("attach"),
    id: Id,
    guest: Name,
    address: U32,
    owner: z.string().max(OWNER_TOKEN_CHARS_MAX).optional(),
  }),
  z.strictObject({
    type: z.literal("drain"),
    id: Id,
    guest: Name,
    address: U32,
    count: z.int().min(1),
  }),
  z.strictObject({ type: z.literal("ping"), at: z.unknown() }),
  z.strictObject({ type: z.literal("pong"), at: z.unknown() }),
]);

/** A frame of a client. */
export type ClientFrame = z.infer<typeof ClientFrame>;

/** A process as one text, since a query has no members: `BOOT:NAMESPACE:PID:START`. */
const ProcessText = z.string().max(128).transform((text) => {
  const [bootId, pidNamespace, pid, startTime, ...rest] = text.split(":");
  return rest.length > 0 ? undefined : { bootId, pidNamespace, pid: Number(pid), startTime };
}).pipe(ProcessBody);

/** What a client of the 4-byte frames sends as text, when it has said that it can quiesce. */
export const SysgenidAnswer = z.strictObject({
  type: z.literal("quiesced"),
  quiesce: QuiesceId,
  cannot: Reason.optional(),
});

/** `?scope=&name=&track=&leaseMs=&quiesce=&token=&process=` of a 4-byte connection. */
export const SysgenidQuery = z.strictObject({
  scope: Name.describe("Name of the scope, for the subprotocol of 4 bytes"),
  name: Name.openapi({ description: "Name of the watcher, for the same", example: "app" }),
  track: z.enum(["", "true", "false"]).default("false").transform((text) => text !== "false")
    .openapi({
      type: "string",
      enum: ["", "true", "false"],
      description: "Whether barriers wait for it, for the same; `?track` alone means yes",
      example: "true",
    }),
  leaseMs: digits(9).pipe(LeaseMs).optional().openapi({
    type: "integer",
    minimum: 1,
    description: "How long it is held after its connection has ended, for the same",
    example: 60_000,
  }),
  quiesce: Flag.default(false).openapi({
    type: "string",
    enum: ["true", "false"],
    description: "Whether it can stand still: it is told of quiesces in JSON then, for the same",
    example: "true",
  }),
  token: z.string().min(SYSGENID_TOKEN_CHARS_MIN).max(128).optional().openapi({
    description: "A secret of its own by which it goes on after its connection was cut",
    example: "d2f0c5b7a9e4b3f8c2d6a7f001122334",
  }),
  process: ProcessText.optional().openapi({
    type: "string",
    description: "The process that it is in, `BOOT:NAMESPACE:PID:START`, for the same",
    example: "f1d3ff8e-4b0c-4a1e-9c55-2f9a4e0c9f5e:4026531836:4711:81234",
  }),
});

/** What a watch says of itself to a caller that does not open it. */
export const WatchProtocolsView = z.object({
  subprotocols: z.array(z.string()).openapi({
    description: "The subprotocols of the WebSocket, of which a caller offers one",
    example: [WATCH_PROTOCOL, SYSGENID_PROTOCOL],
  }),
  asyncapi: z.string().openapi({
    description: "Address of the document that describes their frames",
    example: "/asyncapi.json",
  }),
}).openapi("WatchProtocols", { description: "How the watch is spoken to" });

/** What a text frame turned out to be. */
type ReadFrame =
  | { readonly ok: true; readonly frame: ClientFrame }
  /** It says which request it is, so that request can be refused. */
  | { readonly ok: false; readonly id: number | string; readonly fault: Fault }
  /** It is no frame at all: the connection ends. */
  | { readonly ok: false; readonly id: undefined };

/** Reads a text frame. */
export function readFrame(text: string): ReadFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, id: undefined };
  }
  const parsed = ClientFrame.safeParse(value);
  if (parsed.success) return { ok: true, frame: parsed.data };
  const id = Id.safeParse((value as { id?: unknown } | null)?.id);
  if (!id.success) return { ok: false, id: undefined };
  return { ok: false, id: id.data, fault: faultOf(parsed.error, "frame") };
}

/** The text of the answer to a request that was refused. */
export function errorFrameText(id: number | string, fault: Fault): string {
  return toJson({ type: "error", id, problem: problemOf(fault) });
}
