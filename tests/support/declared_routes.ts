import { Registry } from "prom-client";
import { deviceRoutes } from "../../routes/devices/devices.ts";
import { scopeRoutes } from "../../routes/generations/scopes.ts";
import { watchRoutes } from "../../routes/generations/watch.ts";
import { guestConsoleRoutes } from "../../routes/guests/console.ts";
import { guestRoutes } from "../../routes/guests/guests.ts";
import type { Route } from "../../routes/http/endpoint.ts";
import { type Need, needOf } from "../../routes/http/rights.ts";
import { inodeRoutes } from "../../routes/inodes/inodes.ts";
import { eventRoutes } from "../../routes/operate/events.ts";
import { metricsRoutes } from "../../routes/operate/metrics.ts";
import { listenerRoutes } from "../../routes/operate/listeners.ts";
import { mountRoutes } from "../../routes/operate/mount.ts";
import { ticketRoutes } from "../../routes/operate/tickets.ts";

const { signal } = new AbortController();
// A refusal comes before the handlers run, so what they work with is not needed.
const nothing = {} as never;

/** Every route that needs a caller, as a daemon has them, with nothing behind them. */
export const GUARDED = [
  scopeRoutes(nothing, signal),
  watchRoutes(nothing),
  deviceRoutes(nothing, nothing),
  inodeRoutes(nothing),
  guestRoutes({ guests: { hold: () => () => {} } } as never, signal),
  guestConsoleRoutes(nothing, nothing, signal),
  eventRoutes(nothing, signal, () => true),
  ticketRoutes(nothing),
  listenerRoutes(nothing),
  metricsRoutes(new Registry(), []),
  mountRoutes(() => undefined, new Registry()),
];

/** What they declare. */
export const DECLARED: readonly Route[] = GUARDED.flatMap((routes) => routes.declared);

const PLACES = {
  "body": "the body",
  "query": "the query",
  "each item": "each item",
  "each frame": "each frame",
  "what it is of": "what it is of",
} as const;

function rightText({ permission, on = [] }: Need): string {
  const places = [on].flat().map((one) =>
    "param" in one ? `${one.kind} of \`{${one.param}}\`` : `${one.kind} of ${PLACES[one.in]}`
  );
  const kinds = [on].flat().length > 2 ? [`what ${PLACES["each item"]} is of`] : places;
  return `\`${permission}\` ${kinds.length === 0 ? "bare" : `on ${kinds.join(" or ")}`}`;
}

/** The table of every route × verb × right, as docs/access.md has it. */
export function rightsTable(): string {
  const rows = DECLARED.map(({ method, path, needs, also = [], headers = [] }) => {
    const owned = headers.includes("Innkeeper-Owner") && path !== "/v1/tickets";
    const further = [
      ...owned ? ["the owner's token, where there is an owner"] : [],
      ...also.map((need) => `${rightText(need)}: ${need.when}`),
    ];
    const right = needs === undefined ? "any caller" : rightText(needOf(needs));
    return ["", method.toUpperCase(), `\`${path}\``, right, further.join("; "), ""];
  });
  const head = [["", "verb", "route", "right", "beside it", ""], ["", "-", "-", "-", "-", ""]];
  return [...head, ...rows].map((cells) => cells.join(" | ").trim()).join("\n");
}
