import { assert, assertEquals } from "@std/assert";
import { MIB } from "../../src/core/limits.ts";
import { Daemon } from "../support/daemon.ts";

/** What comes over the wire for a request: its status, its headers and the bytes after them. */
async function raw(
  daemon: Daemon,
  method: string,
  path: string,
  headers: readonly string[],
): Promise<{ status: string; headers: Headers; bytes: number }> {
  using socket = await Deno.connect({ transport: "unix", path: daemon.socketPath });
  const head = [`${method} ${path} HTTP/1.1`, "host: localhost", "connection: close", ...headers];
  await socket.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
  const text = await new Response(socket.readable).bytes();
  const latin1 = new TextDecoder("latin1").decode(text);
  const end = latin1.indexOf("\r\n\r\n");
  const [status = "", ...lines] = latin1.slice(0, end).split("\r\n");
  const pairs = lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]);
  return { status, headers: new Headers(pairs), bytes: text.byteLength - end - 4 };
}

Deno.test("HEAD tells the length of the body that GET sends, and sends none", async () => {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-" });
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.mkdir(`${folder}/root`);
  const daemon = await Daemon.start({ folder, args: ["--root", `r=${folder}/root`] });
  cleanUp.use(daemon);
  const open = async (name: string, size: number): Promise<string> => {
    const request = { root: "r", path: name, access: "rw", cache: "own", create: "exclusive" };
    const { id } = await daemon.json(201, "POST", "/v1/inodes", { ...request, holder: "h" });
    await daemon.json(200, "PATCH", `/v1/inodes/${id}`, { size });
    return `/v1/inodes/${id}/data`;
  };
  const short = await open("short", 4096);
  const long = await open("long", 3 * MIB);
  for (
    const [path, status, length, ...headers] of [
      [short, 200, 4096],
      [short, 206, 10, "range: bytes=0-9"],
      [short, 206, undefined, "range: bytes=0-9,20-29"],
      [short, 416, undefined, "range: bytes=9999-"],
      [long, 200, 3 * MIB],
      [long, 206, 2 * MIB, `range: bytes=0-${2 * MIB - 1}`],
      ["/v1/scopes", 200, undefined],
      ["/v1/inodes/none/data", 404, undefined],
      ["/", 200, undefined],
    ] as const
  ) {
    const got = await raw(daemon, "GET", path, headers);
    const head = await raw(daemon, "HEAD", path, headers);
    // Only GET knows ranges (RFC 9110 section 14.2), so a HEAD tells of the whole.
    const whole = headers.length === 0 ? got : await raw(daemon, "GET", path, []);
    const what = `${path} ${headers}`;
    assert(got.status.includes(` ${status} `), got.status);
    assertEquals([head.status, head.bytes], [whole.status, 0], what);
    assertEquals(got.headers.get("content-length"), String(length ?? got.bytes), what);
    assertEquals(head.headers.get("content-length"), String(whole.bytes), what);
    assertEquals(head.headers.get("content-range"), null, what);
  }
});
