import { assertEquals } from "@std/assert";
import { z } from "@hono/zod-openapi";
import { Principal } from "../../../src/access/tokens.ts";
import { endpointsOf, Routes } from "../../../routes/http/endpoint.ts";
import { BYTES, json, jsonBody } from "../../../routes/http/openapi.ts";
import { Api } from "../../support/api.ts";

const Room = z.object({ guests: z.int() });
const endpoint = endpointsOf<null>("generations");
const fill = endpoint({
  method: "post",
  path: "/v1/rooms/{room}",
  operationId: "fillRoom",
  summary: "Fill a room",
  description: "Only a test has it.",
  faults: [],
  needs: "write",
  request: { params: z.object({ room: z.string() }), body: jsonBody(Room) },
  responses: { 200: json(Room, "The room") },
}).handle((c) => c.json(c.req.valid("json"), 200));
const store = endpoint({
  method: "put",
  path: "/v1/rooms/{room}",
  operationId: "storeRoom",
  summary: "Store bytes in a room",
  description: "Only a test has it.",
  faults: [],
  needs: "write",
  request: { params: z.object({ room: z.string() }), body: { content: BYTES } },
  responses: { 200: json(Room, "The room") },
  isReadByHand: true,
}).handle(async (c) => c.json({ guests: (await c.req.arrayBuffer()).byteLength }, 200));

/** A body that counts how much of it was read. */
function counted(): { body: ReadableStream<Uint8Array>; pulled: () => number } {
  let count = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(1024));
      if (++count === 4096) controller.close();
    },
  }, { highWaterMark: 0 });
  return { body, pulled: () => count };
}

async function send(
  method: string,
  grants: readonly string[],
  headers: Record<string, string>,
): Promise<[string | number, number]> {
  const api = Api.of(new Routes().add([fill, store], null));
  const { body, pulled } = counted();
  const listener = { kind: "unix", principal: new Principal("me", grants) } as const;
  const init = { method, body, headers: { "transfer-encoding": "chunked", ...headers } };
  const response = await api.app.request("/v1/rooms/a", init, { listener });
  const answer = await response.json();
  return [answer.code ?? response.status, pulled()];
}

Deno.test("a body is not read for a caller that may not do this, whatever headers it sends", async () => {
  for (const method of ["POST", "PUT"]) {
    for (const type of ["application/json", "application/octet-stream", "text/plain"]) {
      const headers = { "content-type": type, "idempotency-key": "k" };
      assertEquals(await send(method, ["read"], headers), ["not-permitted", 0], type);
    }
  }
});

Deno.test("a body of no type, or of another one than the endpoint takes, is not read", async () => {
  const key = { "idempotency-key": "k" };
  for (
    const [method, type] of [["POST", "application/octet-stream"], ["PUT", "application/json"]]
  ) {
    assertEquals(await send(method ?? "", ["write"], key), ["wrong-media-type", 0]);
    const headers = { ...key, "content-type": `${type}; charset=utf-8` };
    assertEquals(await send(method ?? "", ["write"], headers), ["wrong-media-type", 0]);
  }
});

Deno.test("a body of the right type is read up to its bound", async () => {
  const [code, pulled] = await send("POST", ["write"], { "content-type": "application/json" });
  assertEquals([code, pulled <= 2049], ["body-too-large", true]);
  const octets = { "content-type": "application/octet-stream" };
  assertEquals(await send("PUT", ["write"], octets), [200, 4096]);
});
