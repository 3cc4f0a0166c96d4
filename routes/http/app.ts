import type { Registry } from "prom-client";
import { Fault } from "../../src/core/faults.ts";
import type { Tokens } from "../../src/access/tokens.ts";
import type { IdempotentAnswers } from "../../src/access/idempotency.ts";
import { type SocketKind, SOCKETS, type Tickets } from "../../src/access/tickets.ts";
import { type Route, Routes } from "./endpoint.ts";
import { guardsBeforeBodies } from "./before_bodies.ts";
import { bodyGuard } from "./body_guard.ts";
import { addressGuard, authGuard } from "./guard.ts";
import { headLengths } from "./head.ts";
import { idempotency, type StoredAnswer } from "./idempotency.ts";
import { observe } from "./observe.ts";
import { openApiRoutes } from "./document_routes.ts";
import { problemResponse, problemRoutes } from "./problems.ts";
import { requestIds } from "./request_id.ts";

/** What the HTTP surface is put together from. */
interface AppParts {
  readonly version: string;
  readonly tokens: Tokens;
  readonly tickets: Tickets;
  readonly answers: IdempotentAnswers<StoredAnswer>;
  readonly allowedHosts: readonly string[];
  /** Number of the last event, for lists that say from where on to follow. */
  readonly lastSeq?: () => number;
  /** Where requests are counted. */
  readonly metrics: Registry;
  /** Routes that need no token. */
  readonly open: readonly Routes[];
  /** Routes that need to know the caller. */
  readonly guarded: readonly Routes[];
}

/** The whole HTTP surface: guards first, then the routes, one problem answer for every fault. */
export function createApp(parts: AppParts): Routes {
  const app = new Routes();
  app.onError(problemResponse);
  app.use(headLengths);
  app.use(requestIds());
  app.use(observe(parts.metrics));
  app.use(addressGuard(parts.allowedHosts));
  const guarded = parts.guarded.flatMap((routes) => routes.declared);
  const open: Routes[] = [
    ...parts.open,
    problemRoutes(),
    openApiRoutes(() => ({
      version: parts.version,
      open: open.flatMap((routes) => routes.declared),
      guarded,
    })),
  ];
  for (const routes of open) app.route("/", routes);
  const auth = authGuard(parts.tokens, parts.tickets, socketsOf(guarded));
  app.use("/metrics", auth);
  app.use("/v1/*", auth);
  app.use("/v1/*", (c, next) => {
    c.set("seq", parts.lastSeq?.());
    return next();
  });
  // Only a caller who is let in may send a body. GET, which is called most, passes no guard of it.
  for (const { route, guard } of guardsBeforeBodies(guarded)) {
    app.on(route.method.toUpperCase(), route.path.replaceAll(/\{(\w+)\}/g, ":$1"), guard);
  }
  app.on(["POST", "PUT", "PATCH", "DELETE"], "/v1/*", bodyGuard(guarded));
  app.post("/v1/*", idempotency(parts.answers));
  for (const routes of parts.guarded) app.route("/", routes);
  app.notFound((c) => {
    const path = new URL(c.req.url).pathname;
    throw refusalOf(app, c.req.method, path);
  });
  return app;
}

/** The kind of the WebSocket that a path leads to: it is the last word of the path. */
function socketsOf(routes: readonly Route[]): (path: string) => SocketKind | undefined {
  const sockets = routes.filter(({ isSocket }) => isSocket === true).map(({ path }) => ({
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    kind: SOCKETS.find((kind) => path.endsWith(`/${kind}`)),
  }));
  return (path) => sockets.find(({ pattern }) => pattern.test(path))?.kind;
}

function refusalOf(app: Routes, method: string, path: string): Fault {
  const allow = allowedMethods(app, path);
  if (allow.length === 0) {
    return new Fault("no-such-path", `Cannot find ${path.slice(0, 200)}: see /openapi.json`);
  }
  return new Fault(
    "method-not-allowed",
    `Cannot ${method} ${path.slice(0, 200)}: allowed are ${allow.join(", ")}`,
    { members: { allow: allow.join(", ") } },
  );
}

const METHODS = ["DELETE", "GET", "PATCH", "POST", "PUT"];

/** The methods by which a path can be called. Routes that end in `*` are guards, not endpoints. */
function allowedMethods(app: Routes, path: string): string[] {
  return METHODS.filter((method) =>
    app.router.match(method, path)[0].some(([[, route]]) =>
      route.method === method && !route.path.endsWith("*")
    )
  );
}
