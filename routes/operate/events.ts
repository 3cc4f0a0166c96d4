import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { EventLog, EventPage, LoggedEvent } from "../../src/core/event_log.ts";
import { Fault } from "../../src/core/faults.ts";
import { EVENT_COMMENT_MS, EVENT_FOLLOWERS_MAX, EVENTS_PAGE_MAX } from "../../src/core/limits.ts";
import type { Clock } from "../../src/core/ports/clock.ts";
import { rfc3339 } from "../../src/core/time.ts";
import { toJson } from "../../src/wire/problem.ts";
import { Limit } from "../../src/wire/scalars.ts";
import type { Principal } from "../../src/access/tokens.ts";
import type { Env } from "../http/env.ts";
import { needs, newRoutes, problems } from "../http/openapi.ts";

const After = z.string().regex(/^[0-9]{1,15}$/).transform(Number).optional()
  .openapi({ type: "integer", minimum: 0 });

const EventView = z.object({
  seq: z.int(),
  time: z.string(),
  kind: z.string().openapi({ example: "scope.bumped" }),
  subject: z.string(),
  reason: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
}).openapi("Event");

const EventsView = z.object({
  items: z.array(EventView),
  gap: z.object({ after: z.int(), before: z.int() }).optional(),
}).openapi("Events");

/**
 * `GET /v1/events`: what has changed, as a stream or a page.
 *
 * @param stopping Ends the streams when the daemon stops
 * @param isKnown Whether a caller's token is still in force
 */
export function eventRoutes(
  events: EventLog,
  clock: Clock,
  stopping: AbortSignal,
  isKnown: (principal: Principal) => boolean,
): OpenAPIHono<Env> {
  const routes = newRoutes();
  let followers = 0;
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/events",
      tags: ["events"],
      summary: "Follow what changes, from Last-Event-ID on; or one page of it as JSON",
      middleware: [needs("read")],
      request: { query: z.strictObject({ after: After, limit: Limit }) },
      responses: {
        200: {
          description: "Server-sent events; with `Accept: application/json` one page",
          content: {
            "text/event-stream": { schema: { type: "string" } },
            "application/json": { schema: EventsView },
          },
        },
        ...problems("followers-exhausted"),
      },
    }),
    (c) => {
      const { after, limit } = c.req.valid("query");
      if (c.req.header("accept")?.includes("application/json") === true) {
        return jsonPage(events.after(after ?? 0, limit));
      }
      if (c.req.method === "HEAD") return new Response(null, { headers: STREAM_HEADERS });
      if (followers >= EVENT_FOLLOWERS_MAX) {
        throw new Fault("followers-exhausted", `Cannot follow: ${followers} followers are there`);
      }
      const last = After.safeParse(c.req.header("last-event-id")).data;
      followers++;
      return follow(events, last ?? after ?? events.lastSeq, {
        clock,
        stopping,
        matches: () => isKnown(c.get("principal")),
        onEnd: () => followers--,
      });
    },
  );
  return routes;
}

function jsonPage({ gap, items }: EventPage): Response {
  const body = { items: items.map(view), ...(gap === undefined ? {} : { gap }) };
  return new Response(toJson(body), { headers: { "content-type": "application/json" } });
}

interface Follower {
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  readonly matches: () => boolean;
  readonly onEnd: () => void;
}

const STREAM_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" };

function follow(
  events: EventLog,
  from: number,
  { clock, stopping, matches, onEnd }: Follower,
): Response {
  let known = from;
  const stop = once(() => {
    stopping.removeEventListener("abort", stop);
    onEnd();
  });
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    // The ring is read when the client takes more: one that does not read costs nothing.
    async pull(controller) {
      for (;;) {
        if (!matches()) {
          stop();
          return controller.close();
        }
        const page = events.after(known, EVENTS_PAGE_MAX);
        if (page.items.length > 0 || page.gap !== undefined) {
          known = page.items.at(-1)?.seq ?? (page.gap?.before ?? known + 1) - 1;
          const text = [gapText(page), ...page.items.map(eventText)].join("");
          return controller.enqueue(encoder.encode(text));
        }
        if (await nextEvent(events, clock, stopping)) continue;
        if (stopping.aborted) return controller.close();
        return controller.enqueue(encoder.encode(": still here\n\n"));
      }
    },
    cancel() {
      stop();
    },
  });
  stopping.addEventListener("abort", stop, { once: true });
  return new Response(body, { headers: STREAM_HEADERS });
}

/** Waits for the next event. `false` when it was silent for so long that a comment is due. */
function nextEvent(events: EventLog, clock: Clock, stopping: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const stopListening = events.listen(() => resolve(true));
  const stopTimer = clock.after(EVENT_COMMENT_MS, () => resolve(false));
  const onStop = (): void => resolve(false);
  stopping.addEventListener("abort", onStop, { once: true });
  return promise.finally(() => {
    stopListening();
    stopTimer();
    stopping.removeEventListener("abort", onStop);
  });
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

function gapText({ gap }: EventPage): string {
  if (gap === undefined) return "";
  // With an id, so that whoever is cut off right after it is not told again.
  return `id: ${gap.before - 1}\nevent: gap\ndata: ${toJson(gap)}\n\n`;
}

function eventText(event: LoggedEvent): string {
  return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${toJson(view(event))}\n\n`;
}

function view({ seq, timeNs, kind, subject, reason, data = {} }: LoggedEvent): unknown {
  return {
    seq,
    time: rfc3339(timeNs),
    kind,
    subject,
    ...(reason === undefined ? {} : { reason }),
    data,
  };
}
