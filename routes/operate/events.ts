import type { Principal } from "../../src/access/tokens.ts";
import type { EventFilter, EventLog } from "../../src/core/event_log.ts";
import { NAME_KINDS } from "../../src/core/rights.ts";
import { EventStreams, isShown, shownPage } from "../../src/sessions/event_streams.ts";
import { EventSeq, EventsQuery, EventsView, pageJson } from "../../src/wire/events.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { json, text } from "../http/openapi.ts";

/** What the events route is put together from. */
interface EventParts {
  readonly events: EventLog;
  readonly streams: EventStreams;
}

const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // nginx and others hold an answer back until they have a page of it, unless this tells them not to.
  "x-accel-buffering": "no",
};

const STREAM_EXAMPLE = 'id: 42\nevent: scope.bumped\ndata: {"seq":42,"kind":"scope.bumped",' +
  '"subject":"vm-7","data":{"generation":8}}\n\n';

const followEvents = endpointsOf<EventParts>("events")({
  method: "get",
  path: "/v1/events",
  operationId: "followEvents",
  summary: "Follow what changes, from Last-Event-ID on; or one page of it as JSON",
  description:
    "A stream starts after `Last-Event-ID`, after `after`, or with the next event. An event that " +
    "is no longer kept is not made up: the first number tells what is missing. To see all that " +
    "is and all that changes, read a list and follow from its `seq`.",
  needs: { permission: "read", on: NAME_KINDS.map((kind) => ({ kind, in: "each item" })) },

  request: { query: EventsQuery },
  headers: ["Last-Event-ID"],
  responses: {
    200: {
      description: "Server-sent events; with `Accept: application/json` one page",
      content: {
        ...text("text/event-stream", STREAM_EXAMPLE),
        ...json(EventsView, "").content,
      },
    },
  },
  faults: ["followers-exhausted"],
}).handle((c, { events, streams }) => {
  const { after, limit, scope: names } = c.req.valid("query");
  const principal = c.get("principal");
  const wants = names === undefined ? () => true : aboutScopes(names);
  if (c.req.header("accept")?.includes("application/json") === true) {
    const page = events.visibleAfter(
      after ?? 0,
      limit,
      (event) => wants(event) && isShown(event, principal),
    );
    const text = pageJson(shownPage(page, principal), after ?? 0);
    return c.body(text, 200, { "content-type": "application/json" });
  }
  if (c.req.method === "HEAD") return c.body(null, 200, STREAM_HEADERS);
  const last = EventSeq.safeParse(c.req.header("last-event-id")).data;
  const stream = streams.follow(last ?? after ?? events.lastSeq, principal, wants);
  return c.body(stream, 200, STREAM_HEADERS);
});

/** What is about these scopes. */
function aboutScopes(names: readonly string[]): EventFilter {
  const wanted = new Set(names);
  return ({ audience }) => audience?.about?.kind === "scopes" && wanted.has(audience.about.name);
}

/**
 * `GET /v1/events`: what has changed, as a stream or a page.
 *
 * @param stopping Ends the streams when the daemon stops
 * @param isKnown Whether the token of a caller is still in force
 */
export function eventRoutes(
  events: EventLog,
  stopping: AbortSignal,
  isKnown: (principal: Principal) => boolean,
): Routes {
  const streams = new EventStreams({ events, stopping, isKnown });
  return new Routes().add([followEvents], { events, streams });
}
