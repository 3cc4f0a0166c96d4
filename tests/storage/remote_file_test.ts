import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { SystemError } from "../../src/core/system_error.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import { HttpRemoteFiles } from "../../src/storage/remote_file.ts";
import { HostStore, PAGE, pattern, readOf } from "../support/inode_store.ts";

/** What a server answers that answers nothing else. */
const STATUS: Readonly<Record<string, number>> = {
  "fails": 503,
  "is busy": 429,
  "refuses": 405,
  "asks for credentials": 401,
};

/** The fault of each way of a server, and whether trying again helps. */
const FAULTS_OF = {
  "ignores ranges": ["remote-without-ranges", false],
  "hides the size": ["remote-without-ranges", false],
  "redirects": ["remote-redirects", false],
  "codes": ["remote-coded", false],
  "refuses": ["remote-refuses", false],
  "asks for credentials": ["file-not-permitted", false],
  "fails": ["remote-failed", true],
  "is busy": ["remote-failed", true],
} as const;

/** A server of one file, with the ways in which servers differ. */
class Server implements AsyncDisposable {
  content = pattern(40 * PAGE + 5);
  etag: string | null = '"one"';
  mode:
    | ("ranges" | "ignores ranges" | "cuts" | "fails" | "redirects" | "too much")
    | ("refuses" | "asks for credentials" | "hides the size" | "codes" | "is busy") = "ranges";
  readonly requests: string[] = [];
  readonly #server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    this.requests.push(`${request.method} ${request.headers.get("range") ?? ""}`.trim());
    return this.#answer(request);
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/files`;
  }

  #answer(request: Request): Response {
    if (!request.url.endsWith("/f")) return new Response(null, { status: 404 });
    if (this.mode === "redirects") return Response.redirect("http://169.254.169.254/", 302);
    const status = STATUS[this.mode];
    if (status !== undefined) return new Response(null, { status });
    const headers = new Headers({ "content-length": String(this.content.length) });
    if (this.etag !== null) headers.set("etag", this.etag);
    // As an address that is signed for GET.
    if (request.method === "HEAD") return new Response(null, { status: 403 });
    const match = request.headers.get("if-match");
    if (match !== null && match !== this.etag) return new Response(null, { status: 412 });
    const [, first = 0, last = 0] = /bytes=(\d+)-(\d+)/.exec(request.headers.get("range") ?? "") ??
      [];
    if (this.mode === "ignores ranges") return new Response(this.content, { headers });
    const start = Number(first);
    const end = Math.min(Number(last) + 1, this.content.length);
    const { length } = this.content;
    if (start >= length) {
      headers.set("content-range", `bytes */${length}`);
      headers.delete("content-length");
      return new Response(null, { status: 416, headers });
    }
    const size = this.mode === "hides the size" ? "*" : length;
    headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
    if (this.mode === "codes") headers.set("content-encoding", "x-own");
    headers.delete("content-length");
    const extra = this.mode === "too much" ? 1000 : this.mode === "cuts" ? start + 7 - end : 0;
    return new Response(this.content.slice(start, end + extra), { status: 206, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function open(store: InodeStore, url: string) {
  return (await store.open({ url, holder: "me" })).inode;
}

function storeOn(server: Server): HostStore {
  return new HostStore({ remotes: new HttpRemoteFiles([server.url]) });
}

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
}

Deno.test("a remote inode is cached by ranges, shared and read-only", async () => {
  await using server = new Server();
  await using host = storeOn(server);
  const inode = await open(host.store, `${server.url}/f`);
  assertEquals(inode.size, BigInt(40 * PAGE + 5));
  assertEquals(await readOf(inode, 100, 50), server.content.subarray(100, 150));
  assertEquals(await readOf(inode), server.content);
  const { length } = server.requests;
  assertEquals(await readOf(inode), server.content);
  assertEquals(server.requests.length, length);
  assert((await host.store.open({ url: `${server.url}/f`, holder: "you" })).inode === inode);
  await refused("inode-read-only", () => inode.write(pattern(1), 0n));
  assertEquals(inode.identity, { ...inode.identity, access: "ro", cache: "own" });
  await host.store.release(inode.identity.id, "you");
  await host.store.release(inode.identity.id, "me");
});

Deno.test("a remote inode that changes behind its validator is read anew, and never mixed", async () => {
  await using server = new Server();
  await using host = storeOn(server);
  const inode = await open(host.store, `${server.url}/f`);
  await readOf(inode, 0, 10);
  server.content = pattern(30 * PAGE, 9);
  server.etag = '"two"';
  assertEquals(
    await readOf(inode, 20 * PAGE, 100),
    server.content.subarray(20 * PAGE, 20 * PAGE + 100),
  );
  assertEquals(await readOf(inode), server.content);
  server.content = pattern(30 * PAGE, 5);
  server.etag = '"three"';
  assertEquals(await inode.revalidate(), true);
  assertEquals(await readOf(inode), server.content);
});

Deno.test("a remote server that cuts, exceeds, ignores ranges or fails gives right bytes or an error", async () => {
  await using server = new Server();
  await using host = storeOn(server);
  const inode = await open(host.store, `${server.url}/f`);
  for (const mode of ["cuts", "too much"] as const) {
    server.mode = mode;
    assertEquals(await readOf(inode, 0, 100), server.content.subarray(0, 100), mode);
    await inode.invalidate();
  }
  for (const [mode, [code]] of Object.entries(FAULTS_OF)) {
    // Where the size is hidden in the answer to a read, the version differs: it is looked at anew.
    server.mode = mode as typeof server.mode;
    await refused(code, () => readOf(inode, 0, 100));
  }
  server.mode = "ranges";
  assertEquals(await readOf(inode), server.content);
});

Deno.test("HttpRemoteFiles.open() lets only URLs below its prefixes through", async () => {
  await using server = new Server();
  const remotes = new HttpRemoteFiles([server.url]);
  const { port } = new URL(server.url);
  const outside = [
    `http://127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}/filesystem/f`,
    `${server.url}/../f`,
    `${server.url}/%2e%2e/f`,
    `${server.url}/a%2F..%2F..%2Ff`,
    `${server.url}/%2E%2E%5cf`,
    `http://127.0.0.1:1/files/f`,
    `https://127.0.0.1:${port}/files/f`,
    `http://user@127.0.0.1:${port}/files/f`,
    `http://127.0.0.1:${port}@evil.example/files/f`,
    "file:///etc/passwd",
    "not a url",
    "",
  ];
  for (const url of outside) {
    assertEquals((await assertRejects(() => remotes.open(url), SystemError)).errno, "EXDEV", url);
  }
  const missing = await assertRejects(() => remotes.open(`${server.url}/none`), SystemError);
  assertEquals(missing.errno, "ENOENT");
  assertEquals(server.requests, ["GET bytes=0-0"]);
});

Deno.test("a remote file that cannot be opened says why, and whether trying again helps", async () => {
  await using server = new Server();
  await using host = storeOn(server);
  for (const [mode, [code, isRetryable]] of Object.entries(FAULTS_OF)) {
    server.mode = mode as typeof server.mode;
    const fault = await assertRejects(() => open(host.store, `${server.url}/f`), Fault);
    assertEquals([fault.code, fault.retryable], [code, isRetryable], mode);
  }
  await refused("file-not-found", () => open(host.store, `${server.url}/none`));
  server.mode = "ranges";
  const redirected = await open(host.store, `${server.url}/f`);
  assertEquals(await readOf(redirected), server.content);
});

Deno.test("an empty remote file is opened, whatever its server answers to a range of it", async () => {
  await using server = new Server();
  await using host = storeOn(server);
  server.content = new Uint8Array(0);
  for (const mode of ["ranges", "ignores ranges"] as const) {
    server.mode = mode;
    const inode = await open(host.store, `${server.url}/f`);
    assertEquals(inode.size, 0n, mode);
    await host.store.release(inode.identity.id, "me");
  }
});

Deno.test("a remote server that is not there, or whose TLS is wrong, is named as such", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  await using plain = new Server();
  const https = plain.url.replace("http:", "https:");
  const gone = `http://127.0.0.1:${port}`;
  await using host = new HostStore({ remotes: new HttpRemoteFiles([gone, https]) });
  const unreachable = await assertRejects(() => open(host.store, `${gone}/f`), Fault);
  assertEquals([unreachable.code, unreachable.retryable], ["remote-unreachable", true]);
  const untrusted = await assertRejects(() => open(host.store, `${https}/f`), Fault);
  assertEquals([untrusted.code, untrusted.retryable], ["remote-untrusted", false]);
});
