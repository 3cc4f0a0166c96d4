import { assert, assertEquals } from "@std/assert";
import { lookAtHead } from "../../src/cli/request_head.ts";
import { REQUEST_HEAD_BYTES_MAX } from "../../src/core/limits.ts";

const look = (text: string) => lookAtHead(new TextEncoder().encode(text));

Deno.test("lookAtHead: only a whole head goes on, and a too large one is refused", () => {
  const head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
  for (let length = 1; length < head.length; length++) {
    assertEquals(look(head.slice(0, length)).kind, "unfinished");
  }
  assertEquals(look(head).kind, "http");
  assertEquals(look(`${head}more`).kind, "http");
  const long = `GET / HTTP/1.1\r\nx: ${"a".repeat(REQUEST_HEAD_BYTES_MAX)}`;
  assertEquals(look(long.slice(0, REQUEST_HEAD_BYTES_MAX - 1)).kind, "unfinished");
  assertEquals(look(long.slice(0, REQUEST_HEAD_BYTES_MAX)).kind, "refused");
  assertEquals(look("\x16\x03\x01").kind, "http", "the server refuses what is no HTTP");
});

Deno.test("lookAtHead: a WebSocket's request is read from its head", () => {
  const head = "GET /v1/watch?ticket=a HTTP/1.1\r\nHost: localhost:1\r\nUpgrade: WebSocket\r\n" +
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nX: 1\r\nX: 2\r\n\r\n";
  const found = look(`${head}frames`);
  assert(found.kind === "websocket");
  assertEquals(found.bytes, head.length);
  assertEquals(found.request.url, "http://localhost:1/v1/watch?ticket=a");
  assertEquals([...found.request.headers], [
    ["connection", "Upgrade"],
    ["host", "localhost:1"],
    ["sec-websocket-version", "13"],
    ["upgrade", "WebSocket"],
    ["x", "1, 2"],
  ]);
  for (const bad of ["POST /v1/watch", "GET v1/watch", "GET //x:y@/"]) {
    const kind = look(head.replace("GET /v1/watch?ticket=a", bad)).kind;
    assert(kind === "http" || bad.startsWith("GET //"), `${bad} is ${kind}`);
  }
  const refusals = [["Host: localhost:1\r\n", "", 400], [
    "Version: 13",
    "Version: 12",
    426,
  ]] as const;
  for (const [from, to, status] of refusals) {
    assertEquals(look(head.replace(from, to)), { kind: "refused", status });
  }
  assertEquals(look("GET / HTTP/1.0\r\n\r\n").kind, "http", "HTTP/1.0 needs no Host");
  assertEquals(look(head.replace("X: 1", "X : 1")).kind, "http");
});

Deno.test("lookAtHead: a whole URL is taken as well, since Deno sends one over a unix socket", () => {
  const head =
    "GET http://localhost/v1/watch?a=1 HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n" +
    "sec-websocket-version: 13\r\n\r\n";
  const found = look(head);
  assert(found.kind === "websocket");
  assertEquals(found.request.url, "http://localhost/v1/watch?a=1");
});
