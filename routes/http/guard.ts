import type { HonoRequest, MiddlewareHandler } from "hono";
import { Fault } from "../../src/core/faults.ts";
import type { Principal, Tokens } from "../../src/access/tokens.ts";
import type { Tickets } from "../../src/access/tickets.ts";
import type { Env } from "./env.ts";

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Refuses requests over TCP whose Host header names another machine: a page in a browser that
 * reached this address by DNS rebinding sends its own name. Refuses also requests of web pages of
 * another origin: there are no CORS answers, ever.
 */
export function addressGuard(allowed: readonly string[]): MiddlewareHandler<Env> {
  const known = new Set([...LOOPBACK_HOSTS, ...allowed].map((name) => name.toLowerCase()));
  return (c, next) => {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    if (c.env.listener.kind === "tcp") requireKnownHost(host, known);
    const origin = c.req.header("origin");
    if (origin !== undefined) requireSameOrigin(origin, host);
    return next();
  };
}

function requireKnownHost(host: string, known: ReadonlySet<string>): void {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (known.has(name)) return;
  throw new Fault(
    "host-not-allowed",
    `Cannot answer for host "${name.slice(0, 80)}": start with --allow-host to allow it`,
  );
}

function requireSameOrigin(origin: string, host: string): void {
  if (origin === `http://${host}` || origin === `https://${host}`) return;
  throw new Fault(
    "origin-not-allowed",
    `Cannot answer a page of origin "${origin.slice(0, 80)}": only pages of ${host} may call`,
  );
}

/**
 * Finds out who calls: the principal of the unix socket, of the bearer token, or for a WebSocket of
 * the ticket.
 */
export function authGuard(tokens: Tokens, tickets: Tickets): MiddlewareHandler<Env> {
  const overTcp = (request: HonoRequest): Principal => {
    const ticket = request.query("ticket");
    const authorization = request.header("authorization");
    const isWebSocket = request.header("upgrade")?.toLowerCase() === "websocket";
    if (ticket === undefined || !isWebSocket) {
      // A page cannot see why its WebSocket was refused. A plain request tells it, and lets nobody in.
      if (ticket !== undefined && authorization === undefined) {
        tickets.find(ticket, request.header("origin"));
      }
      return tokens.authenticate(bearer(authorization));
    }
    const principal = tickets.redeem(ticket, request.header("origin"));
    tokens.requireKnown(principal);
    return principal;
  };
  return (c, next) => {
    const { listener } = c.env;
    const principal = listener.kind === "unix" ? listener.principal : overTcp(c.req);
    c.env.connection?.identify(principal.name, principal.may("admin"));
    c.set("principal", principal);
    return next();
  };
}

function bearer(authorization: string | undefined): string {
  const match = /^Bearer +([^\s]+)$/i.exec(authorization ?? "");
  if (match === null) {
    throw new Fault(
      "token-missing",
      "Cannot let a caller over TCP in without a token: send Authorization: Bearer TOKEN",
    );
  }
  return match[1] as string;
}
