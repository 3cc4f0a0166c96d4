import type { Context, MiddlewareHandler, Next } from "hono";
import type { Env } from "./env.ts";

/**
 * Gives the answer to a HEAD the length of the body that a GET would send (RFC 9110 section 9.3.2).
 * Hono answers HEAD as GET and drops the body, so that the server would send the length 0.
 */
export const headLengths: MiddlewareHandler<Env> = (c, next) =>
  c.req.method === "HEAD" ? withLength(c, next) : next();

async function withLength(c: Context<Env>, next: Next): Promise<void> {
  await next();
  const { body, headers } = c.res;
  if (body === null) return;
  // Nobody reads the body, so it must be told to free what it holds.
  if (headers.has("content-length")) return await body.cancel();
  let length = 0;
  for await (const chunk of body) length += chunk.byteLength;
  headers.set("content-length", String(length));
}
