import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import {
  BYTES_BODY_BYTES_MAX,
  JSON_BODY_BYTES_MAX,
  MIB,
  MULTIPART_BYTES_MAX,
} from "../../../src/core/limits.ts";
import { admin } from "../../../src/access/tokens.ts";
import { bytesOf } from "../../../src/wire/http/octets.ts";
import { Routes } from "../../../routes/http/endpoint.ts";
import { Api } from "../../support/api.ts";

const listener = { kind: "unix", principal: admin("test") } as const;
const WAIT_MS = 10_000;

function taker(take: (request: Request) => Promise<number>): Api {
  const routes = new Routes();
  routes.put("/v1/bytes", async (c) => c.json(await take(c.req.raw)));
  return Api.of(routes);
}

const whole = async (request: Request): Promise<number> => (await bytesOf(request)).byteLength;

async function piecewise(request: Request): Promise<number> {
  let bytes = 0;
  for await (const chunk of request.body ?? []) bytes += chunk.byteLength;
  return bytes;
}

/** A body whose length is not told, in pieces of 1 MiB and a last one of one byte or none. */
function untold(mebibytes: number, rest: number, pulled: () => void = () => {}): ReadableStream {
  let left = mebibytes;
  return new ReadableStream({
    pull(controller) {
      pulled();
      if (left-- > 0) return controller.enqueue(new Uint8Array(MIB));
      if (rest > 0) controller.enqueue(new Uint8Array(rest));
      controller.close();
    },
  }, { highWaterMark: 0 });
}

async function put(api: Api, body: BodyInit, type = "application/octet-stream"): Promise<unknown> {
  const init = { method: "PUT", body, headers: { "content-type": type } };
  const response = await api.app.request("/v1/bytes", init, { listener });
  const answer = await response.json();
  return answer.code ?? answer;
}

Deno.test("bodyGuard lets bytes of untold length through as they come, over a socket", async () => {
  const { promise: first, resolve } = Promise.withResolvers<number>();
  const api = taker(async (request) => {
    let bytes = 0;
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength;
      resolve(bytes);
    }
    return bytes;
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => api.app.fetch(request, { listener }),
  );
  try {
    using socket = await Deno.connect({ port: server.addr.port });
    const send = (text: string) => socket.write(new TextEncoder().encode(text));
    await send(
      "PUT /v1/bytes HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n" +
        "content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    );
    assertEquals(await deadline(first, WAIT_MS), 5, "it is there before the rest is sent");
    await send("1\r\n!\r\n0\r\n\r\n");
    const answer = await deadline(new Response(socket.readable).text(), WAIT_MS);
    assertEquals(answer.split("\r\n\r\n")[1], "6");
  } finally {
    await server.shutdown();
  }
});

for (const take of [whole, piecewise]) {
  Deno.test(`bodyGuard takes the largest body of untold length and no byte more: ${take.name}`, async () => {
    const api = taker(take);
    for (
      const [type, max] of [
        ["application/octet-stream", BYTES_BODY_BYTES_MAX],
        ["multipart/byteranges; boundary=X", MULTIPART_BYTES_MAX],
      ] as const
    ) {
      assertEquals(await put(api, untold(max / MIB, 0), type), max);
      assertEquals(await put(api, untold(max / MIB, 1), type), "body-too-large");
    }
  });
}

Deno.test("bodyGuard takes no more of a body of untold length than its taker does", async () => {
  let pulls = 0;
  const api = taker(async (request) => {
    const chunks = request.body?.values();
    const { value } = await chunks?.next() ?? {};
    await chunks?.return?.();
    return value?.byteLength ?? 0;
  });
  assertEquals(await put(api, untold(60, 0, () => pulls++)), MIB);
  assertEquals(pulls <= 3, true, `${pulls} pieces were taken`);
});

Deno.test("bodyGuard refuses a told length above the bound before the body is read", async () => {
  const api = taker(() => Promise.reject(new Error("it was read")));
  for (
    const [type, max] of [
      ["application/octet-stream", BYTES_BODY_BYTES_MAX],
      ["multipart/byteranges; boundary=X", MULTIPART_BYTES_MAX],
      ["application/json", JSON_BODY_BYTES_MAX],
    ] as const
  ) {
    const headers = { "content-type": type, "content-length": String(max + 1) };
    const init = { method: "PUT", body: "{}", headers };
    const response = await api.app.request("/v1/bytes", init, { listener });
    assertEquals((await response.json()).code, "body-too-large");
  }
  assertEquals(await put(taker(whole), untold(3, 0), "application/json"), "body-too-large");
});
