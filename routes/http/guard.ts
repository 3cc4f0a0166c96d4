import type { HonoRequest, MiddlewareHandler } from "hono";
import { Fault } from "../../src/core/faults.ts";
import type { Principal, Tokens } from "../../src/access/tokens.ts";
import type { SocketKind, Tickets } from "../../src/access/tickets.ts";
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

/** Who calls, and what a ticket has said beside that. */
interface Identified {
  readonly principal: Principal;
  readonly ownerToken?: string | undefined;
}

/**
 * Finds out who calls: the principal of the unix socket, of the token, or for a WebSocket of the
 * ticket. Who waits for an answer and is removed or narrowed meanwhile is refused.
 *
 * @param socketOf The kind of the WebSocket that a path leads to: a ticket opens nothing else
 */
export function authGuard(
  tokens: Tokens,
  tickets: Tickets,
  socketOf: (path: string) => SocketKind | undefined,
): MiddlewareHandler<Env> {
  const overTcp = (request: HonoRequest): Identified => {
    const ticket = request.query("ticket");
    const authorization = request.header("authorization");
    const isUpgrade = request.method === "GET" &&
      request.header("upgrade")?.toLowerCase() === "websocket";
    const socket = isUpgrade ? socketOf(request.path) : undefined;
    if (ticket === undefined || socket === undefined) {
      // A page cannot see why its WebSocket was refused. A plain request tells it, and lets nobody in.
      if (ticket !== undefined && authorization === undefined) {
        tickets.find(ticket, request.header("origin"));
      }
      return { principal: tokens.authenticate(tokenOf(request)) };
    }
    const ownerToken = tickets.ownerTokenOf(ticket);
    const principal = tickets.redeem(ticket, request.header("origin"), socket);
    tokens.requireKnown(principal);
    return { principal, ownerToken };
  };
  return async (c, next) => {
    const { listener } = c.env;
    const { principal, ownerToken }: Identified = listener.kind === "unix"
      ? listener
      : overTcp(c.req);
    c.env.connection?.identify(principal.name, principal.may("admin"));
    c.set("principal", principal);
    c.set("ownerToken", ownerToken);
    await next();
    // What was waited for proves nothing to somebody who may not know it any more.
    if (c.get("isWaiting") === true && principal.ended.aborted) tokens.requireKnown(principal);
  };
}

/**
 * The token of a request: after `Bearer`, or as the password after `Basic`, since there are clients
 * that can send nothing else (docs/access.md#10).
 */
function tokenOf(request: HonoRequest): string {
  const authorization = request.header("authorization") ?? "";
  const bearer = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  const password = basic === undefined ? undefined : passwordIn(basic);
  if (password !== undefined) {
    requireOwnSite(request.header("sec-fetch-site"));
    return password;
  }
  throw new Fault(
    "token-missing",
    "Cannot let a caller over TCP in without a token: send Authorization: Bearer TOKEN, or Basic " +
      "with the token as password",
  );
}

function passwordIn(base64: string): string | undefined {
  try {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(base64));
    const colon = text.indexOf(":");
    return colon < 0 ? undefined : text.slice(colon + 1);
  } catch {
    return undefined;
  }
}

/** A browser sends a password by itself, also when a page of somebody else makes it call. */
function requireOwnSite(site: string | undefined): void {
  if (site === undefined || site === "same-origin" || site === "none") return;
  throw new Fault(
    "origin-not-allowed",
    `Cannot take a password with a request that a page of another site makes ("${site}")`,
  );
}
