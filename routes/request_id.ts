import type { MiddlewareHandler } from "hono";
import type { Env } from "./env.ts";

const ACCEPTABLE = /^[\w-]{1,64}$/;

/**
 * Gives every request an id, the client's own where it sent a decent one, and every answer that
 * id in `X-Request-Id`. Set after the answer is made: the headers of a WebSocket upgrade are
 * immutable, and making a copy of that answer would undo the upgrade.
 */
export const requestIds: MiddlewareHandler<Env> = async (c, next) => {
  const given = c.req.header("x-request-id");
  const id = given !== undefined && ACCEPTABLE.test(given) ? given : crypto.randomUUID();
  c.set("requestId", id);
  await next();
  if (c.res.status !== 101) c.res.headers.set("x-request-id", id);
};
