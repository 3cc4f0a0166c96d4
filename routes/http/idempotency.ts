import type { MiddlewareHandler } from "hono";
import { Fault } from "../../src/core/faults.ts";
import { IDEMPOTENCY_ANSWER_BYTES, IDEMPOTENCY_KEY_CHARS_MAX } from "../../src/core/limits.ts";
import type { Principal } from "../../src/access/tokens.ts";
import type { IdempotentAnswers } from "../../src/access/idempotency.ts";
import type { Env } from "./env.ts";

/** An answer as it is kept for repetitions. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer;
}

const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Honours `Idempotency-Key` on every POST: the same key with the same request of the same caller
 * gets the same answer, whatever has happened since, or is told that it is not kept any more. A
 * refusal is not kept: it has changed nothing, and trying again may help.
 */
export function idempotency(answers: IdempotentAnswers<StoredAnswer>): MiddlewareHandler<Env> {
  return async (c, next) => {
    const key = c.req.header("idempotency-key");
    if (key === undefined) return await next();
    if (key.length > IDEMPOTENCY_KEY_CHARS_MAX || !PRINTABLE.test(key)) {
      throw new Fault(
        "value-not-allowed",
        `Cannot use this Idempotency-Key: it must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII ` +
          "characters without blanks",
      );
    }
    const { pathname, search } = new URL(c.req.url);
    const request = await digest([
      pathname + search,
      c.req.header("content-type"),
      c.req.header("innkeeper-owner"),
      await c.req.text(),
    ]);
    const owned = JSON.stringify([callerId(c.get("principal")), pathname, key]);
    const run = async (): Promise<StoredAnswer> => {
      await next();
      const { status, headers } = c.res;
      return { status, headers: [...headers], body: await c.res.clone().arrayBuffer() };
    };
    const kept = await answers.once(
      owned,
      request,
      run,
      ({ status, body }) => status < 400 ? IDEMPOTENCY_ANSWER_BYTES + body.byteLength : undefined,
    );
    c.res = new Response(isBodyless(kept.status) ? null : kept.body, {
      status: kept.status,
      headers: new Headers(kept.headers.map(([name, value]) => [name, value])),
    });
  };
}

const callerIds = new WeakMap<Principal, number>();
let lastCallerId = 0;

/** Tells callers apart, also those of the same name, for as long as they are known. */
function callerId(principal: Principal): number {
  const id = callerIds.get(principal) ?? ++lastCallerId;
  callerIds.set(principal, id);
  return id;
}

/** Stands for a request of any size. */
async function digest(parts: readonly (string | undefined)[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}
