import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Fault } from "../../src/core/faults.ts";
import {
  BYTES_BODY_BYTES_MAX,
  JSON_BODY_BYTES_MAX,
  MULTIPART_BYTES_MAX,
} from "../../src/core/limits.ts";
import type { Env } from "./env.ts";

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
 * @param routes Routes, of which some say how large their bodies may be
 */
export function bodyGuard(
  routes: readonly { readonly path: string; readonly bodyBytesMax?: number }[],
): MiddlewareHandler<Env> {
  const ofPaths = new Map<string, MiddlewareHandler<Env>>();
  for (const { path, bodyBytesMax: max } of routes) {
    if (max !== undefined) ofPaths.set(path, collectingLimit(max));
  }
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
