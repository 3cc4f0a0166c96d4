import { z } from "@hono/zod-openapi";
import type { EventPage, VisiblePage } from "../core/event_log.ts";
import type { LoggedEvent } from "../core/logged_event.ts";
import { rfc3339 } from "./time.ts";
import { toJson } from "./problem.ts";
import { digits, Limit, NameList, Time } from "./scalars.ts";

/** Number of the last event that a reader knows, as text. */
export const EventSeq = digits(15);

/** `?after=&limit=&scope=` of the events. */
export const EventsQuery = z.strictObject({
  after: EventSeq.optional().openapi({
    type: "integer",
    minimum: 0,
    example: 41,
    description: "Number of the last event that the reader knows; `Last-Event-ID` goes before it",
  }),
  limit: Limit,
  scope: NameList.optional().openapi({
    type: "string",
    example: "vm-7,vm-8",
    description: "Only what happened to these scopes and to their watchers",
  }),
});

const EventView = z.object({
  seq: z.int().describe("Its number; a later event has a larger one"),
  time: Time.describe("When it happened"),
  kind: z.string().openapi({ example: "scope.bumped", description: "What happened" }),
  subject: z.string().describe("What it happened to, such as the name of a scope"),
  reason: z.string().optional().describe("Why it happened"),
  data: z.record(z.string(), z.unknown()).describe("More of it, depending on its kind"),
}).openapi("Event", {
  example: {
    seq: 42,
    time: "2026-11-20T12:00:00.000000001Z",
    kind: "scope.bumped",
    subject: "vm-7",
    reason: "restored from snapshot 12",
    data: { generation: 7, epoch: "7" },
  },
  description: "Something that has changed",
});

/** A page of events. Those between `after` and `before` of a gap are no longer known. */
export const EventsView = z.object({
  items: z.array(EventView).describe("The events, oldest first"),
  gap: z.object({
    after: z.int().openapi({ description: "Number of the last event before the gap", example: 12 }),
    before: z.int().openapi({ description: "Number of the first event behind it", example: 30 }),
  }).optional().describe("Events between these two are no longer known"),
  through: z.int().optional().openapi({
    description:
      "Go on after this number: no event between the last item and it is wanted and may be seen",
    example: 42,
  }),
}).openapi("Events", { description: "A page of events" });

/**
 * A page of events as JSON text.
 *
 * @param after Number of the last event that the reader knew
 */
export function pageJson({ gap, items, through }: VisiblePage, after: number): string {
  const isAhead = through > (items.at(-1)?.seq ?? after);
  return toJson({ items: items.map(eventView), gap, through: isAhead ? through : undefined });
}

/** A page of events as server-sent events. */
export function pageText({ gap, items }: EventPage): string {
  // The gap has an id, so that a client that is cut off right after it is not sent it again.
  const gapText = gap === undefined ? "" : sent(gap.before - 1, "gap", gap);
  return gapText + items.map((event) => sent(event.seq, event.kind, eventView(event))).join("");
}

function sent(id: number, kind: string, data: unknown): string {
  return `id: ${id}\nevent: ${kind}\ndata: ${toJson(data)}\n\n`;
}

function eventView({ timeNs, data = {}, ...fact }: LoggedEvent) {
  const { seq, kind, subject, reason } = fact;
  return { seq, time: rfc3339(timeNs), kind, subject, reason, data };
}
