import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { inodeRoutes } from "../../../routes/inodes/inodes.ts";
import { MIB } from "../../../src/core/limits.ts";
import { admin } from "../../../src/access/tokens.ts";
import { SpoolFiles } from "../../../src/storage/spool_files.ts";
import { Api, type TestRequest } from "../../support/api.ts";
import { HostStore, PAGE, pattern } from "../../support/inode_store.ts";

interface Subject extends AsyncDisposable {
  readonly host: HostStore;
  readonly api: Api;
}

function subject(): Subject {
  const spool = Deno.makeTempDirSync();
  const host = new HostStore({ spools: new SpoolFiles(spool) });
  return {
    host,
    api: Api.of(inodeRoutes(host.store)),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await Deno.remove(spool, { recursive: true });
    },
  };
}

async function open(api: Api, cache = "own"): Promise<string> {
  const json = { root: "r", path: "f", access: "rw", cache, create: "if-missing", holder: "me" };
  return `/v1/inodes/${(await (await api.send("POST", "/v1/inodes", { json })).json()).id}`;
}

const octets = (body: BodyInit, headers: Record<string, string> = {}): TestRequest => ({
  body,
  headers: { "content-type": "application/octet-stream", ...headers },
});
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());
const latin1 = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

for (const cache of ["own", "host"]) {
  Deno.test(`GET …/data in mode ${cache} sends long bodies in parts, whole and by range`, async () => {
    await using s = subject();
    const content = pattern(5 * MIB + 17);
    await Deno.writeFile(s.host.path("f"), content);
    const data = `${await open(s.api, cache)}/data`;
    const all = await s.api.app.request(data, {}, listener);
    assertEquals([all.status, all.headers.get("content-length")], [200, String(content.length)]);
    assertEquals(await bytesOf(all), content);
    const range = `bytes=${PAGE + 1}-${4 * MIB}`;
    const part = await s.api.app.request(data, { headers: { range } }, listener);
    assertEquals(part.status, 206);
    assertEquals(
      part.headers.get("content-range"),
      `bytes ${PAGE + 1}-${4 * MIB}/${content.length}`,
    );
    assertEquals(await bytesOf(part), content.subarray(PAGE + 1, 4 * MIB + 1));
  });

  Deno.test(`GET …/data in mode ${cache} sends several ranges as multipart/byteranges (case 34)`, async () => {
    await using s = subject();
    const content = pattern(2 * MIB);
    await Deno.writeFile(s.host.path("f"), content);
    const data = `${await open(s.api, cache)}/data`;
    const headers = { range: "bytes=0-9, -5, 99999999-, 100-104" };
    const response = await s.api.send("GET", data, { headers });
    assertEquals(response.status, 206);
    const [, boundary] = /^multipart\/byteranges; boundary=(.+)$/
      .exec(response.headers.get("content-type") ?? "") ?? [];
    const text = latin1(await bytesOf(response));
    assertEquals(response.headers.get("content-length"), String(text.length));
    const wanted = [[0, 10], [2 * MIB - 5, 2 * MIB], [100, 105]].map(([from = 0, to = 0]) =>
      `\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n` +
      `content-range: bytes ${from}-${to - 1}/${2 * MIB}\r\n\r\n${
        latin1(content.subarray(from, to))
      }`
    );
    assertEquals(text, `${wanted.join("")}\r\n--${boundary}--\r\n`);
    const one = await s.api.send("GET", data, { headers: { range: "bytes=9-9,99999999-" } });
    assertEquals(one.headers.get("content-range"), `bytes 9-9/${2 * MIB}`);
    await s.api.refused("range-not-satisfiable", "GET", data, {
      headers: { range: "bytes=99999999-,88888888-" },
    });
    // More than there is: an attack or a mistake; the RFC lets a server send it all instead.
    const many = await s.api.send("GET", data, { headers: { range: "bytes=0-,0-,0-" } });
    assertEquals(many.status, 200);
  });

  Deno.test(`GET and PUT …/data in mode ${cache} honour If-Match and If-None-Match`, async () => {
    await using s = subject();
    await Deno.writeFile(s.host.path("f"), pattern(100));
    const inode = await open(s.api, cache);
    const data = `${inode}/data`;
    const etag = (await s.api.send("GET", data)).headers.get("etag") ?? "";
    for (const tags of [etag, `"x", ${etag}`, "*"]) {
      const same = await s.api.send("GET", data, { headers: { "if-none-match": tags } });
      assertEquals(same.status, 304, tags);
    }
    const other = { headers: { "if-none-match": '"x"' } };
    assertEquals((await s.api.send("GET", data, other)).status, 200);
    await s.api.refused("inode-stale", "GET", data, { headers: { "if-match": '"x"' } });
    await s.api.refused("inode-stale", "PUT", data, octets(pattern(1), { "if-match": '"x"' }));
    await s.api.json(
      204,
      "PUT",
      `${inode}/ranges/0-0`,
      octets(pattern(1, 3), { "if-match": etag }),
    );
    const stale = octets(pattern(1, 9), { "if-match": etag });
    await s.api.refused("inode-stale", "PUT", `${inode}/ranges/0-0`, stale);
    await s.api.refused("inode-stale", "PATCH", inode, {
      json: { size: 0 },
      headers: { "if-match": etag },
    });
    assertEquals((await bytesOf(await s.api.send("GET", data)))[0], pattern(1, 3)[0]);
  });

  Deno.test(`PATCH …/data in mode ${cache} writes several ranges, all or none`, async () => {
    await using s = subject();
    await Deno.writeFile(s.host.path("f"), new Uint8Array(20));
    const data = `${await open(s.api, cache)}/data?durable=true`;
    const send = (...parts: string[]): TestRequest => ({
      body: [...parts, ""].join("--XX").replace(/^/, "--XX") + "--\r\n",
      headers: { "content-type": "multipart/byteranges; boundary=XX" },
    });
    const part = (range: string, text: string) => `\r\nContent-Range: ${range}\r\n\r\n${text}\r\n`;
    await s.api.json(
      204,
      "PATCH",
      data,
      send(part("bytes 2-4/*", "abc"), part("bytes 18-21/20", "\r\n--")),
    );
    const wanted = new Uint8Array(22);
    wanted.set(new TextEncoder().encode("abc"), 2);
    wanted.set(new TextEncoder().encode("\r\n--"), 18);
    assertEquals(await Deno.readFile(s.host.path("f")), wanted);
    const good = part("bytes 0-0/*", "z");
    const bad = [
      ["malformed-request", send(good, "\r\n\r\nno range\r\n")],
      ["malformed-request", send(good, part("bytes */9", "z"))],
      ["malformed-request", send(good, part("lines 1-2/*", "zz"))],
      ["wrong-length", send(good, part("bytes 0-5/*", "z"))],
      ["wrong-length", send(good, part("bytes 0-0/*", "zzzz"))],
      ["value-not-allowed", send(good, part("bytes 5-4/*", ""))],
      ["value-not-allowed", send(good, part("bytes 0-18446744073709551616/*", ""))],
      ["malformed-request", { ...send(), body: "nothing" }],
      ["malformed-request", { ...send(), body: "--XX--\r\n" }],
      ["malformed-request", { ...send(), body: "" }],
      ["wrong-media-type", { ...send(good), headers: { "content-type": "multipart/byteranges" } }],
      ["wrong-media-type", { ...send(good), headers: { "content-type": "application/json" } }],
    ] as const;
    for (const [code, request] of bad) await s.api.refused(code, "PATCH", data, request);
    assertEquals(await Deno.readFile(s.host.path("f")), wanted);
  });

  Deno.test(`PUT …/data in mode ${cache} takes long bodies that come in pieces`, async () => {
    await using s = subject();
    const inode = await open(s.api, cache);
    const content = pattern(5 * MIB + 3);
    const piecewise = () =>
      new ReadableStream({
        async start(controller) {
          for (let at = 0; at < content.length; at += 300_000) {
            controller.enqueue(content.subarray(at, at + 300_000));
            await delay(0);
          }
          controller.close();
        },
      });
    await s.api.json(204, "PUT", `${inode}/data?durable=true`, octets(piecewise()));
    assertEquals(await Deno.readFile(s.host.path("f")), content);
    const [first, last] = [PAGE, PAGE + content.length - 1];
    await s.api.json(204, "PUT", `${inode}/ranges/${first}-${last}`, octets(piecewise()));
    await s.api.json(204, "POST", `${inode}/sync`);
    assertEquals((await Deno.readFile(s.host.path("f"))).subarray(PAGE), content);
    await s.api.refused("wrong-length", "PUT", `${inode}/ranges/0-9`, octets(piecewise()));
    const long = `${inode}/ranges/0-${content.length}`;
    await s.api.refused("wrong-length", "PUT", long, octets(piecewise()));
  });

  Deno.test(`PUT …/ranges in mode ${cache} that breaks off midway changes nothing (case 33)`, async () => {
    await using s = subject();
    const content = pattern(4 * MIB);
    await Deno.writeFile(s.host.path("f"), content);
    const inode = await open(s.api, cache);
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request) => s.api.app.fetch(request, listener),
    );
    try {
      for (const length of [1000, 3 * MIB]) {
        const socket = await Deno.connect({ port: server.addr.port });
        const head = `PUT ${inode}/ranges/0-${length - 1} HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
          `content-type: application/octet-stream\r\ncontent-length: ${length}\r\n\r\n`;
        const bytes = new Uint8Array(head.length + length - 1);
        new TextEncoder().encodeInto(head, bytes);
        for (let done = 0; done < bytes.byteLength;) {
          done += await socket.write(bytes.subarray(done));
        }
        socket.close();
      }
      // A long answer that its client leaves: the daemon goes on.
      const left = await Deno.connect({ port: server.addr.port });
      await left.write(
        new TextEncoder().encode(`GET ${inode}/data HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`),
      );
      await left.read(new Uint8Array(1000));
      left.close();
      const whole = await fetch(`http://127.0.0.1:${server.addr.port}${inode}/data`);
      assertEquals(whole.headers.get("content-length"), String(content.length));
      assertEquals(await bytesOf(whole), content);
      await s.api.json(204, "POST", `${inode}/sync`);
      assertEquals(await Deno.readFile(s.host.path("f")), content);
    } finally {
      await server.shutdown();
    }
  });
}

Deno.test("GET …/data breaks off when the content changes on the way, rather than mix two versions", async () => {
  await using s = subject();
  await Deno.writeFile(s.host.path("f"), pattern(4 * MIB));
  const inode = await open(s.api);
  const response = await s.api.app.request(`${inode}/data`, {}, listener);
  const reader = response.body?.getReader();
  assert(reader !== undefined);
  assertEquals((await reader.read()).value?.byteLength, MIB);
  await s.api.json(204, "PUT", `${inode}/ranges/0-0`, octets(pattern(1)));
  const error = await reader.read().then(() => undefined, (error) => error);
  assertEquals(error?.code, "inode-stale");
});

Deno.test("numbers past 2^53 are strings, and what is no number is refused (cases 9 and 10)", async () => {
  await using s = subject();
  const inode = await open(s.api);
  const view = await s.api.json(200, "PATCH", inode, { json: { size: "1099511627777" } });
  assertEquals(view.size, "1099511627777");
  await s.api.refused("value-not-allowed", "PATCH", inode, { json: { size: 2 ** 53 } });
  for (const size of ["9223372036854775808", "18446744073709551615", "18446744073709551616", -1]) {
    await s.api.refused("value-not-allowed", "PATCH", inode, { json: { size } });
  }
  for (const offset of ["1e3", "0x10", 0.5, null, [], "NaN", ""]) {
    const json = { offset, length: 1 };
    await s.api.refused("malformed-request", "POST", `${inode}/allocate`, { json });
  }
  for (const [offset, length] of [["9223372036854775807", "1"], ["18446744073709551615", "1"]]) {
    const json = { offset, length };
    await s.api.refused("value-not-allowed", "POST", `${inode}/allocate`, { json });
  }
  await s.api.json(200, "PATCH", inode, { json: { size: 0 } });
});

const listener = { listener: { kind: "unix", principal: admin("test") } } as const;
