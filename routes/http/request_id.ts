import type { MiddlewareHandler } from "hono";
import type { Env } from "./env.ts";

const ACCEPTABLE = /^[\w-]{1,64}$/;

/**
 * Gives every request an id, and every answer the id of its request in `X-Request-Id`. A client may
 * send an id of its own. Ours are counted within this run of the daemon: a random id would cost
 * more than authenticating the request.
 *
 * The header is set after the answer is made, and not on a WebSocket upgrade: its headers are
 * immutable, and a copy of that answer would undo the upgrade.
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
