import { assert, assertEquals } from "@std/assert";
import { inodeRoutes } from "../../../routes/inodes/inodes.ts";
import { Principal } from "../../../src/access/tokens.ts";
import { HostRoot } from "../../../src/native/host_root.ts";
import { Api, type TestRequest } from "../../support/api.ts";
import { HostStore, PAGE, pattern } from "../../support/inode_store.ts";

const OPEN = {
  root: "r",
  path: "f",
  access: "rw",
  cache: "own",
  create: "if-missing",
  holder: "me",
};

interface Subject extends AsyncDisposable {
  readonly host: HostStore;
  readonly api: Api;
}

function subject(): Subject {
  const host = new HostStore();
  return {
    host,
    api: Api.of(inodeRoutes(host.store)),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

async function open(api: Api, request: Partial<typeof OPEN> = {}): Promise<string> {
  const response = await api.send("POST", "/v1/inodes", { json: { ...OPEN, ...request } });
  assert(response.ok, await response.clone().text());
  return (await response.json()).id;
}

const octets = (body: Uint8Array<ArrayBuffer>): TestRequest => ({
  body,
  headers: { "content-type": "application/octet-stream" },
});
const ranged = (range: string): TestRequest => ({ headers: { range } });
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

Deno.test("POST /v1/inodes opens with 201, shares with 200 and refuses other modes with 409", async () => {
  await using s = subject();
  const made = await s.api.json(201, "POST", "/v1/inodes", { json: OPEN });
  assertEquals([made.size, made.cache, made.holders], ["0", "own", ["me"]]);
  const shared = await s.api.json(200, "POST", "/v1/inodes", { json: { ...OPEN, holder: "you" } });
  assertEquals(shared.id, made.id);
  assertEquals(shared.holders, ["me", "you"]);
  await s.api.refused("inode-mode-differs", "POST", "/v1/inodes", {
    json: { ...OPEN, cache: "host" },
  });
  assertEquals((await s.api.json(200, "GET", "/v1/inodes")).items.length, 1);
  assertEquals((await s.api.json(200, "GET", `/v1/inodes/${made.id}`)).inode, made.inode);
});

Deno.test("POST /v1/inodes lets no path out of its root, and opens nothing but regular files", async () => {
  await using s = subject();
  const outside = await Deno.makeTempFile();
  try {
    await Deno.mkdir(s.host.path("dir"));
    await Deno.symlink(outside, s.host.path("absolute-link"));
    await Deno.symlink("../../../../../etc/passwd", s.host.path("relative-link"));
    await Deno.symlink("/", s.host.path("root-link"));
    await Deno.symlink("loop", s.host.path("loop"));
    await Deno.symlink("/proc/self/fd/0", s.host.path("magic-link"));
    const fifo = await new Deno.Command("mkfifo", { args: [s.host.path("fifo")] }).output();
    assert(fifo.success);
    const codes = {
      "../x": "outside-root",
      "dir/../../x": "outside-root",
      "/etc/passwd": "outside-root",
      "absolute-link": "outside-root",
      "relative-link": "outside-root",
      "root-link/etc/passwd": "outside-root",
      "magic-link": "outside-root",
      "loop": "outside-root",
      "%2e%2e/x": "file-not-found",
      "..%2fx": "file-not-found",
      "none": "file-not-found",
      "dir/none/f": "file-not-found",
      "dir": "not-a-file",
      ".": "not-a-file",
      "fifo": "not-a-file",
      "fifo/x": "not-a-file",
      "a\0b": "value-not-allowed",
      "": "value-not-allowed",
      [`${"a".repeat(300)}`]: "value-not-allowed",
      [`${"a/".repeat(3000)}`]: "value-not-allowed",
    } as const;
    for (const cache of ["host", "own"]) {
      for (const [path, code] of Object.entries(codes)) {
        const json = { ...OPEN, path, cache, create: "never" };
        await s.api.refused(code, "POST", "/v1/inodes", { json });
      }
    }
    for (const path of ["../x", "/tmp/x", "root-link/tmp/x", "absolute-link/x"]) {
      const response = await s.api.send("POST", "/v1/inodes", { json: { ...OPEN, path } });
      assert([403, 422].includes(response.status), `${path}: ${response.status}`);
    }
    assertEquals(s.host.store.list().length, 0);
    assertEquals([...Deno.readDirSync(`${s.host.state}/inodes`)], []);
  } finally {
    await Deno.remove(outside);
  }
});

Deno.test("POST /v1/inodes follows links that stay below the root", async () => {
  await using s = subject();
  await Deno.mkdir(s.host.path("dir"));
  await Deno.writeFile(s.host.path("dir/f"), pattern(10));
  await Deno.symlink("dir/../dir/f", s.host.path("link"));
  const first = await open(s.api, { path: "dir/f" });
  assertEquals(await open(s.api, { path: "link" }), first);
});

Deno.test("POST /v1/inodes writes in no root that is read-only", async () => {
  await using s = subject();
  await Deno.writeFile(s.host.path("f"), pattern(10));
  using root = new HostRoot(s.host.libc, s.host.folder, { readOnly: true, noatime: true });
  await using other = new HostStore({ roots: new Map([["r", root]]) });
  const api = Api.of(inodeRoutes(other.store));
  const json = { ...OPEN, access: "ro", create: "never" };
  await api.refused("root-read-only", "POST", "/v1/inodes", { json: { ...json, access: "rw" } });
  await api.refused("root-read-only", "POST", "/v1/inodes", {
    json: { ...json, create: "if-missing" },
  });
  const { id } = await api.json(201, "POST", "/v1/inodes", { json });
  assertEquals(await bytesOf(await api.send("GET", `/v1/inodes/${id}/data`)), pattern(10));
  await api.refused("inode-read-only", "PUT", `/v1/inodes/${id}/data`, octets(pattern(1)));
  await api.refused("inode-read-only", "PUT", `/v1/inodes/${id}/ranges/0-0`, octets(pattern(1)));
  await api.json(204, "DELETE", `/v1/inodes/${id}/holders/me`);
});

Deno.test("POST /v1/inodes refuses what it cannot read or does not allow", async () => {
  await using s = subject();
  const malformed: TestRequest[] = [
    {},
    { body: "", headers: { "content-type": "application/json" } },
    { body: "{", headers: { "content-type": "application/json" } },
    { json: [] },
    { json: {} },
    { json: { ...OPEN, path: 5 } },
    { json: { ...OPEN, extra: 1 } },
    { json: { ...OPEN, holder: undefined } },
  ];
  for (const request of malformed) {
    const { status } = await s.api.send("POST", "/v1/inodes", request);
    assertEquals(status, 400, JSON.stringify(request));
  }
  await s.api.refused("bad-name", "POST", "/v1/inodes", { json: { ...OPEN, holder: "A/b" } });
  await s.api.refused("bad-name", "POST", "/v1/inodes", { json: { ...OPEN, root: ".." } });
  for (const wrong of [{ access: "wo" }, { cache: "none" }, { create: "always" }]) {
    await s.api.refused("value-not-allowed", "POST", "/v1/inodes", { json: { ...OPEN, ...wrong } });
  }
  for (const permissions of [-1, 0o1000, 1e300]) {
    const json = { ...OPEN, permissions };
    const { status } = await s.api.send("POST", "/v1/inodes", { json });
    assert(status === 422 || status === 400, String(permissions));
  }
  await s.api.refused("wrong-media-type", "POST", "/v1/inodes", {
    body: "root=r",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  await s.api.refused("root-not-found", "POST", "/v1/inodes", { json: { ...OPEN, root: "s" } });
  await Deno.writeFile(s.host.path("f"), pattern(1));
  const exclusive = { ...OPEN, create: "exclusive" };
  await s.api.refused("file-exists", "POST", "/v1/inodes", { json: exclusive });
  assertEquals(s.host.store.list().length, 0);
});

for (const cache of ["host", "own"]) {
  Deno.test(`GET …/data in mode ${cache} answers 200, 206 and 416 with an ETag`, async () => {
    await using s = subject();
    const content = pattern(3 * PAGE + 10);
    await Deno.writeFile(s.host.path("f"), content);
    const data = `/v1/inodes/${await open(s.api, { cache })}/data`;
    const whole = await s.api.send("GET", data);
    assertEquals(whole.status, 200);
    assertEquals(await bytesOf(whole), content);
    const etag = whole.headers.get("etag") ?? "";
    assert(/^"[^"]+"$/.test(etag), etag);
    const parts = { "0-0": [0, 1], "5-": [5, content.length], "-7": [content.length - 7] } as const;
    for (const [range, [start, end]] of Object.entries(parts)) {
      const part = await s.api.send("GET", data, ranged(`bytes=${range}`));
      assertEquals(part.status, 206);
      assertEquals(await bytesOf(part), content.subarray(start, end), range);
      assertEquals(part.headers.get("cache-status"), "innkeeper; hit");
      assertEquals(part.headers.get("etag"), etag);
    }
    const past = await s.api.send("GET", data, ranged(`bytes=${content.length}-`));
    assertEquals(past.status, 416);
    assertEquals(past.headers.get("content-range"), `bytes */${content.length}`);
    const huge = await s.api.send("GET", data, ranged("bytes=18446744073709551616-"));
    assertEquals(huge.status, 416);
    for (const ignored of ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,6-5", "bytes=-"]) {
      assertEquals((await s.api.send("GET", data, ranged(ignored))).status, 200, ignored);
    }
  });

  Deno.test(`GET …/data in mode ${cache} honours If-Range`, async () => {
    await using s = subject();
    await Deno.writeFile(s.host.path("f"), pattern(100));
    const data = `/v1/inodes/${await open(s.api, { cache })}/data`;
    const etag = (await s.api.send("GET", data)).headers.get("etag") ?? "";
    const request = { headers: { range: "bytes=0-1", "if-range": etag } };
    assertEquals((await s.api.send("GET", data, request)).status, 206);
    await s.api.json(204, "PUT", data.replace("data", "ranges/0-0"), octets(pattern(1, 9)));
    assertEquals((await s.api.send("GET", data, request)).status, 200);
  });

  Deno.test(`PUT …/data in mode ${cache} replaces the whole content`, async () => {
    await using s = subject();
    await Deno.writeFile(s.host.path("f"), pattern(3 * PAGE));
    const inode = `/v1/inodes/${await open(s.api, { cache })}`;
    await s.api.send("GET", `${inode}/data`);
    await s.api.json(204, "PUT", `${inode}/data?durable=true`, octets(pattern(7, 3)));
    assertEquals(await Deno.readFile(s.host.path("f")), pattern(7, 3));
    await s.api.json(204, "PUT", `${inode}/data`, octets(new Uint8Array(0)));
    assertEquals((await s.api.json(200, "GET", inode)).size, "0");
    assertEquals(await bytesOf(await s.api.send("GET", `${inode}/data`)), new Uint8Array(0));
    await s.api.refused("malformed-request", "PUT", `${inode}/data`, {
      body: pattern(2),
      headers: { "content-type": "application/octet-stream", "content-range": "bytes 0-1/2" },
    });
  });

  Deno.test(`PUT …/ranges in mode ${cache} writes exactly its bytes`, async () => {
    await using s = subject();
    await Deno.writeFile(s.host.path("f"), new Uint8Array(2 * PAGE));
    const inode = `/v1/inodes/${await open(s.api, { cache })}`;
    await s.api.send("GET", `${inode}/data`, ranged("bytes=0-0"));
    await s.api.json(204, "PUT", `${inode}/ranges/10-19`, octets(pattern(10)));
    await s.api.json(204, "PUT", `${inode}/ranges/8190-8199?durable=true`, octets(pattern(10, 2)));
    const wanted = new Uint8Array(8200);
    wanted.set(pattern(10), 10);
    wanted.set(pattern(10, 2), 8190);
    assertEquals(await Deno.readFile(s.host.path("f")), wanted);
    assertEquals((await s.api.json(200, "GET", inode)).size, "8200");
  });

  Deno.test(`PUT …/ranges in mode ${cache} refuses bad ranges and bodies, and changes nothing`, async () => {
    await using s = subject();
    const content = pattern(100);
    await Deno.writeFile(s.host.path("f"), content);
    const ranges = `/v1/inodes/${await open(s.api, { cache })}/ranges`;
    for (const bad of ["a-b", "5", "-5", "5-", "1e3-2e3", "0x1-0x2", "-1--1", "1.5-2"]) {
      await s.api.refused("malformed-request", "PUT", `${ranges}/${bad}`, octets(pattern(1)));
    }
    for (
      const bad of ["5-4", "0-18446744073709551616", "18446744073709551615-18446744073709551616"]
    ) {
      await s.api.refused("value-not-allowed", "PUT", `${ranges}/${bad}`, octets(pattern(1)));
    }
    const past = "9223372036854775807-9223372036854775807";
    await s.api.refused("value-not-allowed", "PUT", `${ranges}/${past}`, octets(pattern(1)));
    await s.api.refused("wrong-length", "PUT", `${ranges}/0-9`, octets(pattern(9)));
    await s.api.refused("wrong-length", "PUT", `${ranges}/0-9`, octets(pattern(11)));
    await s.api.refused("wrong-length", "PUT", `${ranges}/0-9`, octets(new Uint8Array(0)));
    await s.api.refused("body-too-large", "PUT", `${ranges}/0-99999999999`, octets(pattern(1)));
    for (const type of ["text/plain", "application/json", undefined]) {
      const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
      const request = { body: pattern(1), headers };
      await s.api.refused("wrong-media-type", "PUT", `${ranges}/0-0`, request);
    }
    const query = `${ranges}/0-0?durable=maybe`;
    await s.api.refused("value-not-allowed", "PUT", query, octets(pattern(1)));
    await s.api.refused("malformed-request", "PUT", `${ranges}/0-0?x=1`, octets(pattern(1)));
    assertEquals(await Deno.readFile(s.host.path("f")), content);
  });
}

Deno.test("POST …/sync and …/evict bring dirt to the file and pages out of the cache", async () => {
  await using s = subject();
  await Deno.writeFile(s.host.path("f"), new Uint8Array(4 * PAGE));
  const inode = `/v1/inodes/${await open(s.api)}`;
  await s.api.send("GET", `${inode}/data`);
  await s.api.json(204, "PUT", `${inode}/ranges/4096-4105`, octets(pattern(10)));
  const pages = await s.api.json(200, "GET", `${inode}/pages`);
  assertEquals(pages.items, [
    { offset: "0", length: "4096", state: "clean", mapped: false },
    { offset: "4096", length: "4096", state: "dirty", mapped: false },
    { offset: "8192", length: "8192", state: "clean", mapped: false },
  ]);
  const first = await s.api.json(200, "GET", `${inode}/pages?limit=1`);
  assertEquals(first.next, "4096");
  const rest = await s.api.json(200, "GET", `${inode}/pages?cursor=${first.next}`);
  assertEquals(rest.items.length, 2);
  assertEquals((await s.api.json(200, "GET", `${inode}/stats`)).dirtyBytes, "10");
  assertEquals((await s.api.json(200, "GET", inode)).dirty, [
    "accessTime",
    "modificationTime",
    "statusChangeTime",
  ]);
  await s.api.json(204, "POST", `${inode}/sync`);
  assertEquals((await Deno.readFile(s.host.path("f"))).subarray(4096, 4106), pattern(10));
  const evicted = await s.api.json(200, "POST", `${inode}/evict`, {
    json: { ranges: [{ offset: "4097", length: 1 }, { offset: 8192, length: "4096" }] },
  });
  assertEquals(evicted, { evictedBytes: "8192", refused: [] });
  const all = await s.api.json(200, "POST", `${inode}/evict`, { json: {} });
  assertEquals(all.evictedBytes, "8192");
  const miss = await s.api.send("GET", `${inode}/data`, ranged("bytes=0-9"));
  assertEquals(miss.headers.get("cache-status"), "innkeeper; fwd=miss");
  const stats = await s.api.json(200, "GET", "/v1/inodes/stats");
  assertEquals([stats.inodes, stats.evictedBytes, stats.residentBytes], [1, 16384, "16384"]);
});

Deno.test("POST …/evict refuses bad ranges", async () => {
  await using s = subject();
  const evict = `/v1/inodes/${await open(s.api)}/evict`;
  for (
    const ranges of [{}, [1], [{}], [{ offset: "x", length: 1 }], [{ offset: 0.5, length: 1 }]]
  ) {
    await s.api.refused("malformed-request", "POST", evict, { json: { ranges } });
  }
  for (const offset of [-1, "-1", "18446744073709551616", 2 ** 60]) {
    const json = { ranges: [{ offset, length: 1 }] };
    await s.api.refused("value-not-allowed", "POST", evict, { json });
  }
  await s.api.refused("malformed-request", "POST", evict, { json: { all: true } });
  const extreme = [{ offset: "18446744073709551615", length: "18446744073709551615" }];
  await s.api.json(200, "POST", evict, { json: { ranges: extreme } });
});

Deno.test("POST …/sync answers 412 for a change from outside below dirt, and PUT …/data ends it", async () => {
  await using s = subject();
  await Deno.writeFile(s.host.path("f"), pattern(10));
  const inode = `/v1/inodes/${await open(s.api)}`;
  await s.api.send("GET", `${inode}/data`);
  await s.api.json(204, "PUT", `${inode}/ranges/0-0`, octets(pattern(1, 7)));
  await Deno.writeFile(s.host.path("f"), pattern(20, 9));
  const problem = await s.api.json(412, "POST", `${inode}/sync`);
  assertEquals([problem.code, problem.dirtyBytes], ["backing-changed", "1"]);
  assertEquals((await s.api.json(200, "GET", inode)).failure.code, "backing-changed");
  await s.api.refused("backing-changed", "DELETE", `${inode}/holders/me`);
  assertEquals(await Deno.readFile(s.host.path("f")), pattern(20, 9));
  await s.api.json(204, "PUT", `${inode}/data?durable=true`, octets(pattern(3, 4)));
  await s.api.json(204, "DELETE", `${inode}/holders/me`);
  assertEquals(await Deno.readFile(s.host.path("f")), pattern(3, 4));
});

Deno.test("DELETE …/holders ends a hold, and the inode with the last one", async () => {
  await using s = subject();
  const inode = `/v1/inodes/${await open(s.api)}`;
  await open(s.api, { holder: "you" });
  await s.api.refused("holder-not-found", "DELETE", `${inode}/holders/nobody`);
  await s.api.refused("bad-name", "DELETE", `${inode}/holders/A`);
  await s.api.json(204, "DELETE", `${inode}/holders/me`);
  await s.api.json(200, "GET", inode);
  await s.api.json(204, "DELETE", `${inode}/holders/you`);
  await s.api.refused("inode-not-found", "GET", inode);
  assertEquals([...Deno.readDirSync(`${s.host.state}/inodes`)], []);
});

Deno.test("every route of an inode answers 404 for one that is not open, and 422 for no name", async () => {
  await using s = subject();
  const calls: [string, string, TestRequest?][] = [
    ["GET", ""],
    ["GET", "/data"],
    ["GET", "/pages"],
    ["GET", "/stats"],
    ["PUT", "/data", octets(pattern(1))],
    ["PUT", "/ranges/0-0", octets(pattern(1))],
    ["POST", "/sync"],
    ["POST", "/evict", { json: {} }],
    ["DELETE", "/holders/me"],
  ];
  for (const [method, path, request] of calls) {
    await s.api.refused("inode-not-found", method, `/v1/inodes/0123456789ab${path}`, request);
    await s.api.refused("bad-name", method, `/v1/inodes/.%2e%2f${path}`, request);
  }
});

Deno.test("inodes are read with the scope read, and changed with write only", async () => {
  await using s = subject();
  const id = await open(s.api);
  const as = (access: "read" | "write"): TestRequest => ({
    listener: { kind: "unix", principal: new Principal("test", [access]) },
  });
  for (const path of ["", "/stats", `/${id}`, `/${id}/data`, `/${id}/pages`, `/${id}/stats`]) {
    assertEquals((await s.api.send("GET", `/v1/inodes${path}`, as("read"))).status, 200, path);
    await s.api.refused("not-permitted", "GET", `/v1/inodes${path}`, as("write"));
  }
  const body = octets(pattern(1));
  const changes: [string, string, TestRequest][] = [
    ["POST", "", { json: OPEN }],
    ["PUT", `/${id}/data`, body],
    ["PUT", `/${id}/ranges/0-0`, body],
    ["POST", `/${id}/sync`, {}],
    ["POST", `/${id}/evict`, { json: {} }],
    ["DELETE", `/${id}/holders/me`, {}],
  ];
  for (const [method, path, request] of changes) {
    await s.api.refused("not-permitted", method, `/v1/inodes${path}`, {
      ...request,
      ...as("read"),
    });
    const { status } = await s.api.send(method, `/v1/inodes${path}`, {
      ...request,
      ...as("write"),
    });
    assert(status < 300, `${method} ${path}: ${status}`);
  }
});
