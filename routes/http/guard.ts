import type { HonoRequest, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Fault } from "../../src/core/faults.ts";
import {
  BYTES_BODY_BYTES_MAX,
  JSON_BODY_BYTES_MAX,
  MULTIPART_BYTES_MAX,
} from "../../src/core/limits.ts";
import type { Permission } from "../../src/access/permissions.ts";
import type { Principal, Tokens } from "../../src/access/tokens.ts";
import type { Tickets } from "../../src/access/tickets.ts";
import type { Env } from "./env.ts";

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Refuses requests over TCP whose Host header names another machine: a page in a browser that
 * was led here by DNS rebinding sends its own name. Refuses also what a web page of another
 * origin sends: there are no CORS answers, ever.
 */
export function addressGuard(allowed: readonly string[]): MiddlewareHandler<Env> {
  const known = new Set([...LOOPBACK_HOSTS, ...allowed].map((name) => name.toLowerCase()));
  return (c, next) => {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    if (c.env.listener.kind === "tcp") requireKnown(host, known);
    const origin = c.req.header("origin");
    if (origin !== undefined) requireSame(origin, host);
    return next();
  };
}

function requireKnown(host: string, known: ReadonlySet<string>): void {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (known.has(name)) return;
  throw new Fault(
    "host-not-allowed",
    `Cannot answer for host "${name.slice(0, 80)}": start with --allow-host to allow it`,
  );
}

function requireSame(origin: string, host: string): void {
  if (origin === `http://${host}` || origin === `https://${host}`) return;
  throw new Fault(
    "origin-not-allowed",
    `Cannot answer a page of origin "${origin.slice(0, 80)}": only pages of ${host} may call`,
  );
}

/**
 * Finds out who calls: the unix socket's principal, the one behind a bearer token, or for a
 * WebSocket the one behind a ticket.
 */
export function authGuard(tokens: Tokens, tickets: Tickets): MiddlewareHandler<Env> {
  const overTcp = (request: HonoRequest): Principal => {
    const isWebSocket = request.header("upgrade")?.toLowerCase() === "websocket";
    const ticket = isWebSocket ? request.query("ticket") : undefined;
    if (ticket === undefined) {
      return tokens.authenticate(bearer(request.header("authorization")));
    }
    const principal = tickets.redeem(ticket, request.header("origin"));
    tokens.requireKnown(principal);
    return principal;
  };
  return (c, next) => {
    const { listener } = c.env;
    c.set("principal", listener.kind === "unix" ? listener.principal : overTcp(c.req));
    return next();
  };
}

/** Lets only callers through who have this permission. */
export function needing(permission: Permission): MiddlewareHandler<Env> {
  return (c, next) => {
    c.get("principal").require(permission);
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

function tooLarge(max: number): never {
  throw new Fault("body-too-large", `Cannot read the body: it may have at most ${max} bytes`);
}

/**
 * Bounds a body of bytes as it passes. Unlike Hono's limit it does not collect a body of unknown
 * length first: the handler that reads it keeps a long one out of memory.
 */
function passingLimit(max: number): MiddlewareHandler<Env> {
  const counting = (): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> => {
    let bytes = 0;
    return new TransformStream({
      transform(chunk, controller): void {
        bytes += chunk.byteLength;
        if (bytes > max) tooLarge(max);
        controller.enqueue(chunk);
      },
    });
  };
  return (c, next) => {
    const { raw } = c.req;
    const hasLength = raw.headers.has("content-length") && !raw.headers.has("transfer-encoding");
    if (hasLength && Number(raw.headers.get("content-length")) > max) tooLarge(max);
    if (!hasLength && raw.body !== null) {
      c.req.raw = new Request(raw, { body: raw.body.pipeThrough(counting()) });
    }
    return next();
  };
}

function collectingLimit(max: number): MiddlewareHandler<Env> {
  return bodyLimit({ maxSize: max, onError: () => tooLarge(max) });
}

/**
 * Bounds the body of every request: by its media type, or as the routes of its path say.
 *
 * @param bytesMax The largest body by path, for paths that take more than others
 */
export function bodyGuard(bytesMax: ReadonlyMap<string, number>): MiddlewareHandler<Env> {
  const ofPaths = new Map([...bytesMax].map(([path, max]) => [path, collectingLimit(max)]));
  const ofJson = collectingLimit(JSON_BODY_BYTES_MAX);
  const ofOctets = passingLimit(BYTES_BODY_BYTES_MAX);
  const ofParts = passingLimit(MULTIPART_BYTES_MAX);
  const ofType = (type = ""): MiddlewareHandler<Env> =>
    /^application\/octet-stream\b/i.test(type)
      ? ofOctets
      : /^multipart\/byteranges\b/i.test(type)
      ? ofParts
      : ofJson;
  return (c, next) => (ofPaths.get(c.req.path) ?? ofType(c.req.header("content-type")))(c, next);
}
