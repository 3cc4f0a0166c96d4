import type { MiddlewareHandler } from "hono";
import type { Env } from "./env.ts";

const ACCEPTABLE = /^[\w-]{1,64}$/;

/**
 * Gives every request an id, the client's own where it sent a decent one, and every answer that
 * id in `X-Request-Id`. Ours are counted within this run of the daemon: a random one for each
 * would cost more than authenticating it.
 *
 * Set after the answer is made: the headers of a WebSocket upgrade are immutable, and making a
 * copy of that answer would undo the upgrade.
 */
export function requestIds(): MiddlewareHandler<Env> {
  const run = crypto.randomUUID();
  let count = 0;
  return async (c, next) => {
    const given = c.req.header("x-request-id");
    const id = given !== undefined && ACCEPTABLE.test(given) ? given : `${run}-${++count}`;
    c.set("requestId", id);
    await next();
    if (c.res.status !== 101) c.res.headers.set("x-request-id", id);
  };
}
