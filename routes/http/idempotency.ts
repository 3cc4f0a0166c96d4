import type { MiddlewareHandler } from "hono";
import { Fault } from "../../src/core/faults.ts";
import { IDEMPOTENCY_ANSWER_BYTES, IDEMPOTENCY_KEY_CHARS_MAX } from "../../src/core/limits.ts";
import { type Principal, takerOf } from "../../src/access/tokens.ts";
import type { IdempotentAnswers } from "../../src/access/idempotency.ts";
import type { Env } from "./env.ts";

/** An answer that is stored for repetitions of its request. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: readonly [string, string][];
  readonly body: ArrayBuffer;
}

const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Honours `Idempotency-Key` on every POST: the same key with the same request of the same caller
 * gets the same answer, whatever has happened since, or a refusal once the answer is no longer
 * stored. A refused request leaves its key free: it has changed nothing, and may succeed later.
 */
export function idempotency(answers: IdempotentAnswers<StoredAnswer>): MiddlewareHandler<Env> {
  return async (c, next) => {
    const key = c.req.header("idempotency-key");
    if (key === undefined) return await next();
    if (key.length > IDEMPOTENCY_KEY_CHARS_MAX || !PRINTABLE.test(key)) {
      throw new Fault(
        "value-not-allowed",
        `Cannot use this Idempotency-Key: it must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} printable ` +
          "ASCII characters without blanks",
      );
    }
    const { pathname, search } = new URL(c.req.url);
    const request = await digest([
      pathname + search,
      c.req.header("content-type"),
      c.req.header("innkeeper-owner"),
      await sha256(await c.req.arrayBuffer()),
    ]);
    const ownKey = JSON.stringify([callerId(c.get("principal")), pathname, key]);
    c.set("once", { key: await digest([c.get("principal").name, pathname, key]), request });
    const run = async (): Promise<StoredAnswer> => {
      await next();
      const { status, headers } = c.res;
      return { status, headers: [...headers], body: await c.res.clone().arrayBuffer() };
    };
    const bytesOf = ({ status, body }: StoredAnswer) =>
      status < 400 ? IDEMPOTENCY_ANSWER_BYTES + body.byteLength : undefined;
    const { status, headers, body } = await answers.once(
      ownKey,
      request,
      run,
      bytesOf,
      takerOf(c.get("principal")),
    );
    const isBodyless = status === 204 || status === 304;
    c.res = new Response(isBodyless ? null : body, { status, headers: new Headers([...headers]) });
  };
}

const callerIds = new WeakMap<Principal, number>();
let lastCallerId = 0;

/** Tells callers apart, also those of one name, for as long as they are known. */
function callerId(principal: Principal): number {
  const id = callerIds.get(principal) ?? ++lastCallerId;
  callerIds.set(principal, id);
  return id;
}

/** A short text that differs for requests that differ. */
async function digest(parts: readonly (string | undefined)[]): Promise<string> {
  return await sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

async function sha256(bytes: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
