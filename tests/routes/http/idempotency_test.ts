import { assertEquals } from "@std/assert";
import { Registry } from "prom-client";
import { IDEMPOTENCY_ANSWER_BYTES } from "../../../src/core/limits.ts";
import { admin, Tokens } from "../../../src/access/tokens.ts";
import { type AnswerBounds, IdempotentAnswers } from "../../../src/access/idempotency.ts";
import { Tickets } from "../../../src/access/tickets.ts";
import { createApp } from "../../../routes/http/app.ts";
import { Routes } from "../../../routes/http/endpoint.ts";
import { FakeClock } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";

const listener = { kind: "unix", principal: admin("test") } as const;

/** A route that counts how often it was carried out and answers with as many bytes as asked for. */
function counter(bounds: AnswerBounds) {
  const routes = new Routes();
  let runs = 0;
  routes.post("/v1/count", async (c) => {
    runs++;
    return c.text("x".repeat(Number(await c.req.text())), 201);
  });
  const app = createApp({
    version: "0.0.0-test",
    tokens: new Tokens([]),
    tickets: new Tickets(new FakeClock(), new SeededRandom(1)),
    answers: new IdempotentAnswers(new FakeClock(), bounds),
    allowedHosts: [],
    metrics: new Registry(),
    open: [],
    guarded: [routes],
  });
  const post = (key: string | undefined, bytes: number): Promise<Response> => {
    const headers = key === undefined ? undefined : { "idempotency-key": key };
    const init = { method: "POST", body: String(bytes), headers: new Headers(headers) };
    return Promise.resolve(app.request("/v1/count", init, { listener }));
  };
  return { post, runs: () => runs };
}

Deno.test("idempotency() keeps answers up to their bytes, and carries none out twice past it", async () => {
  const bytesMax = 2 * IDEMPOTENCY_ANSWER_BYTES + 1000;
  const { post, runs } = counter({ keysMax: 10, bytesMax });
  const lengthOf = async (response: Response) => [response.status, (await response.text()).length];
  assertEquals(await lengthOf(await post("a", 500)), [201, 500]);
  assertEquals(await lengthOf(await post("b", 500)), [201, 500]);
  assertEquals(await lengthOf(await post("a", 500)), [201, 500]);
  assertEquals(await lengthOf(await post("c", 1)), [201, 1]);
  const gone = await post("a", 500);
  assertEquals([gone.status, (await gone.json()).code], [422, "answer-not-kept"]);
  assertEquals(await lengthOf(await post("b", 500)), [201, 500]);
  assertEquals((await (await post("a", 501)).json()).code, "key-reused");
  assertEquals(runs(), 3);
});

Deno.test("idempotency() refuses a new key past the bound before anything is done, and no request without one", async () => {
  const { post, runs } = counter({ keysMax: 2, bytesMax: 100_000 });
  for (const key of ["a", "b"]) assertEquals((await post(key, 1)).status, 201);
  const refused = await post("c", 1);
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "600"]);
  assertEquals((await refused.json()).code, "keys-exhausted");
  assertEquals(runs(), 2);
  assertEquals([(await post("a", 1)).status, (await post(undefined, 1)).status, runs()], [
    201,
    201,
    3,
  ]);
});
