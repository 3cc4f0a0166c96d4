/** The conditions of RFC 9110 section 13 on content, as one table, in both cache modes. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { inodeRoutes } from "../../../routes/inodes/inodes.ts";
import { Api, type TestRequest } from "../../support/api.ts";
import { HostStore, PAGE, pattern } from "../../support/inode_store.ts";

const OCTETS = { "content-type": "application/octet-stream" };
const PARTS = "--XX\r\ncontent-range: bytes 0-0/*\r\n\r\na\r\n--XX--\r\n";

/** Every way to read or change the content, and what it answers when nothing is against it. */
const CALLS: readonly [method: string, path: string, status: number, request: TestRequest][] = [
  ["GET", "/data", 200, {}],
  ["HEAD", "/data", 200, {}],
  ["PUT", "/data", 204, { body: pattern(3 * PAGE), headers: OCTETS }],
  ["PUT", "/ranges/1-2", 204, { body: pattern(2), headers: OCTETS }],
  ["PATCH", "/data", 204, {
    body: PARTS,
    headers: { "content-type": "multipart/byteranges; boundary=XX" },
  }],
  ["PATCH", "", 200, { json: { size: 3 * PAGE } }],
];

/** The forms of a list of entity tags; `TAG` stands for the current one. */
const LISTS = [undefined, "*", "TAG", "W/TAG", '"x"', '"x", TAG', 'W/"x",W/TAG', "abc*", ""];

/** Whether a list names the current tag, as a person reads the RFC. */
function names(list: string, etag: string | undefined, isWeak: boolean): boolean {
  if (list === "*") return true;
  return list.split(",").map((one) => one.trim()).some((one) =>
    etag !== undefined && (one === etag || isWeak && one === `W/${etag}`)
  );
}

interface Subject extends AsyncDisposable {
  readonly api: Api;
  readonly inode: string;
}

async function subject(cache: string): Promise<Subject> {
  const host = new HostStore();
  await Deno.writeFile(host.path("f"), pattern(3 * PAGE));
  const api = Api.of(inodeRoutes(host.store));
  const json = { root: "r", path: "f", access: "rw", cache, holder: "me" };
  const { id } = await api.json(201, "POST", "/v1/inodes", { json });
  return {
    api,
    inode: `/v1/inodes/${id}`,
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

async function tagOf({ api, inode }: Subject): Promise<string | undefined> {
  return (await api.send("HEAD", `${inode}/data`)).headers.get("etag") ?? undefined;
}

/** Makes the content one without a tag: somebody may store into it at any moment. */
async function mapForWriting({ api, inode }: Subject): Promise<void> {
  const range = { offset: 0, length: PAGE };
  await api.json(201, "POST", `${inode}/mappings`, {
    json: { space: "vm", address: 0, ...range, writable: true },
  });
  await api.json(200, "POST", `${inode}/translate`, {
    json: { required: range, access: "write", holder: "me" },
  });
}

for (const cache of ["own", "host"]) {
  for (const state of ["with a tag", "without a tag"]) {
    Deno.test(`every method × If-Match × If-None-Match, ${state}, in mode ${cache}`, async () => {
      await using s = await subject(cache);
      if (state === "without a tag") await mapForWriting(s);
      let count = 0;
      for (const [method, path, status, request] of CALLS) {
        for (const match of LISTS) {
          for (const noneMatch of LISTS) {
            const etag = await tagOf(s);
            assertEquals(etag !== undefined, state === "with a tag");
            const filled = (list: string) => list.replaceAll("TAG", etag ?? '"none"');
            const headers = {
              ...request.headers,
              ...match === undefined ? {} : { "if-match": filled(match) },
              ...noneMatch === undefined ? {} : { "if-none-match": filled(noneMatch) },
            };
            const isRead = method === "GET" || method === "HEAD";
            const wanted = match !== undefined && !names(filled(match), etag, false)
              ? 412
              : noneMatch !== undefined && names(filled(noneMatch), etag, true)
              ? isRead ? 304 : 412
              : status;
            const found = await s.api.send(method, s.inode + path, { ...request, headers });
            await found.body?.cancel();
            const where = `${method} ${path} If-Match: ${match} If-None-Match: ${noneMatch}`;
            assertEquals(found.status, wanted, where);
            count++;
          }
        }
      }
      assertEquals(count, CALLS.length * LISTS.length ** 2);
    });
  }

  Deno.test(`what a change answers is the tag of its own version, in mode ${cache}`, async () => {
    await using s = await subject(cache);
    for (const [method, path, status, request] of CALLS.slice(2, -1)) {
      const before = await tagOf(s);
      const changed = await s.api.send(method, s.inode + path, request);
      assertEquals(changed.status, status);
      const left = changed.headers.get("etag");
      assertNotEquals(left, before);
      assertEquals(left, await tagOf(s));
    }
    const view = await s.api.send("GET", s.inode);
    assertEquals((await view.json()).etag, await tagOf(s));
    assertNotEquals(view.headers.get("etag"), await tagOf(s));
  });

  Deno.test(`HEAD of content knows no ranges and reads nothing, in mode ${cache}`, async () => {
    await using s = await subject(cache);
    const headers = { range: "bytes=0-9" };
    const head = await s.api.send("HEAD", `${s.inode}/data`, { headers });
    assertEquals([head.status, head.headers.get("content-range")], [200, null]);
    assertEquals(head.headers.get("content-length"), String(3 * PAGE));
    const { fills, misses, hits } = await s.api.json(200, "GET", `${s.inode}/stats`);
    assertEquals([fills, misses, hits], [0, 0, 0]);
  });

  Deno.test(`the last bytes of an empty content are all of it, in mode ${cache}`, async () => {
    await using s = await subject(cache);
    await s.api.json(204, "PUT", `${s.inode}/data`, { body: new Uint8Array(0), headers: OCTETS });
    for (const [range, status] of [["-5", 200], ["-0", 416], ["0-", 416], ["0-4", 416]] as const) {
      const found = await s.api.send("GET", `${s.inode}/data`, {
        headers: { range: `bytes=${range}` },
      });
      assertEquals(found.status, status, range);
      if (status === 200) assertEquals(await found.text(), "");
      else await found.body?.cancel();
    }
  });

  Deno.test(`a Content-Range must name the bytes of the path, and a body comes uncoded, in mode ${cache}`, async () => {
    await using s = await subject(cache);
    const write = (headers: Record<string, string>): TestRequest => ({
      body: pattern(2),
      headers: { ...OCTETS, ...headers },
    });
    const at = `${s.inode}/ranges/1-2`;
    for (const range of ["bytes 1-2/*", "bytes 1-2/9000"]) {
      await s.api.json(204, "PUT", at, write({ "content-range": range }));
    }
    for (const range of ["bytes 0-1/*", "bytes 1-3/*", "lines 1-2/*", "bytes */9", "1-2"]) {
      await s.api.refused("malformed-request", "PUT", at, write({ "content-range": range }));
    }
    for (const coding of ["gzip", "br", "gzip, identity"]) {
      for (const path of [at, `${s.inode}/data`]) {
        await s.api.refused("wrong-media-type", "PUT", path, write({ "content-encoding": coding }));
      }
    }
    await s.api.json(204, "PUT", at, write({ "content-encoding": "identity" }));
  });
}

Deno.test("Cache-Status says hit or miss, of long answers too", async () => {
  await using s = await subject("own");
  const long = 2 * 1024 * 1024;
  await s.api.json(204, "PUT", `${s.inode}/data`, { body: pattern(long), headers: OCTETS });
  const statusOf = async () => {
    const found = await s.api.send("GET", `${s.inode}/data`);
    await found.bytes();
    return found.headers.get("cache-status");
  };
  assertEquals([await statusOf(), await statusOf()], ["innkeeper; fwd=miss", "innkeeper; hit"]);
});
