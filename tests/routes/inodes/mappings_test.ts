import { assert, assertEquals } from "@std/assert";
import { inodeRoutes } from "../../../routes/inodes/inodes.ts";
import { Principal } from "../../../src/access/tokens.ts";
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
  readonly inode: string;
}

async function subject(pages = 8): Promise<Subject> {
  const host = new HostStore();
  await Deno.writeFile(host.path("f"), pattern(pages * PAGE));
  const api = Api.of(inodeRoutes(host.store));
  const { id } = await api.json(201, "POST", "/v1/inodes", { json: OPEN });
  return {
    host,
    api,
    inode: `/v1/inodes/${id}`,
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

const mapping = { space: "vm", address: "65536", length: 8192, offset: 4096, writable: true };
const query = "space=vm&address=65536&length=8192&offset=4096&writable=true";

Deno.test("POST, GET and DELETE …/mappings keep the book of who maps what", async () => {
  await using s = await subject();
  const path = `${s.inode}/mappings`;
  const made = await s.api.json(201, "POST", path, { json: mapping });
  assertEquals(made, { newlyMapped: [{ offset: "4096", length: "8192" }] });
  const { writable: _writable, ...place } = mapping;
  const copy = { copyOf: { ...place, writable: true }, address: 0 };
  assertEquals(await s.api.json(201, "POST", path, { json: copy }), { newlyMapped: [] });
  const { items } = await s.api.json(200, "GET", path);
  assertEquals(items.length, 2);
  assertEquals(items[0], {
    space: "vm",
    address: "0",
    length: "8192",
    offset: "4096",
    writable: true,
  });
  const first = await s.api.json(200, "GET", `${path}?limit=1`);
  const cursor = encodeURIComponent(first.next);
  assertEquals((await s.api.json(200, "GET", `${path}?cursor=${cursor}`)).items.length, 1);
  assertEquals((await s.api.json(200, "GET", `${s.inode}/stats`)).mappedBytes, "8192");
  assertEquals(await s.api.json(200, "DELETE", `${path}?${query}`), { noLongerMapped: [] });
  await s.api.refused("mapping-not-found", "DELETE", `${path}?${query}`);
  await s.api.refused("inode-mapped", "DELETE", `${s.inode}/holders/me`);
  assertEquals(await s.api.json(200, "DELETE", `${path}?${query.replace("65536", "0")}`), {
    noLongerMapped: [{ offset: "4096", length: "8192" }],
  });
  await s.api.json(204, "DELETE", `${s.inode}/holders/me`);
});

Deno.test("POST …/translate says where mapped bytes are, and where they end", async () => {
  await using s = await subject(2);
  const path = `${s.inode}/translate`;
  const json = { required: { offset: 4096, length: 8192 }, access: "write", holder: "me" };
  await s.api.refused("not-mapped", "POST", path, { json });
  await s.api.json(201, "POST", `${s.inode}/mappings`, { json: mapping });
  const { translations, busError } = await s.api.json(200, "POST", path, { json });
  assertEquals(translations.length, 1);
  assert(translations[0].file.startsWith(s.host.state), translations[0].file);
  assertEquals(translations[0].identity, nodeOf(translations[0].file));
  assertEquals([translations[0].source, translations[0].permissions], [
    { offset: "4096", length: "4096" },
    "read-write",
  ]);
  assertEquals([busError.offset, busError.code], ["8192", "end-of-file"]);
  const { items } = await s.api.json(200, "GET", `${s.inode}/pages`);
  assertEquals(items.at(-1), { offset: "4096", length: "4096", state: "kept-dirty", mapped: true });
  await s.api.refused("holder-not-found", "POST", path, { json: { ...json, holder: "you" } });
});

/** Which file a path leads to, as a program on this host sees it. */
function nodeOf(path: string) {
  const { dev, ino } = Deno.statSync(path);
  const device = BigInt(dev);
  return {
    deviceMajor: Number(device >> 8n & 0xfffn),
    deviceMinor: Number(device & 0xffn | device >> 12n & 0xfff00n),
    inode: String(ino),
  };
}

Deno.test("POST …/translate names the node of the file, and no path that leads elsewhere by now", async () => {
  await using host = new HostStore();
  await using outside = new HostStore();
  const api = Api.of(inodeRoutes(host.store));
  await Deno.mkdir(host.path("d"));
  await Deno.writeFile(host.path("d/f"), pattern(2 * PAGE));
  await Deno.writeFile(outside.path("f"), pattern(2 * PAGE, 9));
  const required = { offset: 0, length: 4096 };
  const { id } = await api.json(201, "POST", "/v1/inodes", {
    json: { root: "r", path: "d/f", access: "rw", cache: "host", holder: "host" },
  });
  await api.json(201, "POST", `/v1/inodes/${id}/mappings`, {
    json: { space: "vm", address: 0, ...required, writable: false },
  });
  const request = { json: { required, access: "read", holder: "host" } };
  const at = `/v1/inodes/${id}/translate`;
  const { translations: [found] } = await api.json(200, "POST", at, request);
  assertEquals(found.identity, nodeOf(found.file));
  await Deno.rename(host.path("d"), host.path("e"));
  await Deno.symlink(outside.folder, host.path("d"));
  await api.refused("backing-changed", "POST", at, request);
  await Deno.remove(host.path("d"));
  await Deno.rename(host.path("e"), host.path("d"));
  assertEquals((await api.json(200, "POST", at, request)).translations.length, 1);
  await Deno.writeFile(host.path("other"), pattern(2 * PAGE, 5));
  await Deno.rename(host.path("other"), host.path("d/f"));
  await api.refused("backing-changed", "POST", at, request);
});

Deno.test("POST and DELETE …/references keep pages and let them go", async () => {
  await using s = await subject();
  const path = `${s.inode}/references`;
  await s.api.json(204, "POST", path, { json: { offset: 0, length: "4096" } });
  await s.api.send("GET", `${s.inode}/data`);
  const evicted = await s.api.json(200, "POST", `${s.inode}/evict`, { json: {} });
  assertEquals(evicted.refused[0].range, { offset: "0", length: "4096" });
  await s.api.json(204, "DELETE", `${path}?offset=0&length=4096`);
  await s.api.refused("reference-not-found", "DELETE", `${path}?offset=0&length=4096`);
});

Deno.test("PATCH, touch, links, allocate, revalidate, reopen and invalidate answer as they should", async () => {
  await using s = await subject();
  const patched = await s.api.json(200, "PATCH", s.inode, {
    body: JSON.stringify({
      size: 10,
      permissions: 0o600,
      modificationTime: "2001-02-03T04:05:06.000000007Z",
      accessTime: "now",
    }),
    headers: { "content-type": "application/merge-patch+json" },
  });
  assertEquals([patched.size, patched.permissions, patched.modificationTime], [
    "10",
    0o600,
    "2001-02-03T04:05:06.000000007Z",
  ]);
  await s.api.json(204, "POST", `${s.inode}/touch`, { json: { modification: true } });
  assertEquals((await s.api.json(200, "GET", s.inode)).dirty, ["modificationTime"]);
  await s.api.json(201, "POST", `${s.inode}/links`, { json: { path: "g" } });
  assertEquals((await s.api.json(200, "GET", s.inode)).links, 2);
  await s.api.refused("outside-root", "POST", `${s.inode}/links`, { json: { path: "../g" } });
  await s.api.json(204, "DELETE", `${s.inode}/links?path=g`);
  await s.api.refused("file-not-found", "DELETE", `${s.inode}/links?path=g`);
  await s.api.json(204, "POST", `${s.inode}/allocate`, { json: { offset: 0, length: 5000 } });
  assertEquals((await s.api.json(200, "GET", s.inode)).size, "5000");
  assertEquals(await s.api.json(200, "POST", `${s.inode}/revalidate`), { changed: false });
  await Deno.writeFile(s.host.path("f"), pattern(3));
  assertEquals(await s.api.json(200, "POST", `${s.inode}/revalidate`), { changed: true });
  await s.api.json(204, "POST", `${s.inode}/reopen`);
  await s.api.json(204, "POST", `${s.inode}/invalidate`);
  await s.api.json(204, "POST", `${s.inode}/invalidate?discard=true`);
});

Deno.test("the routes of attributes and mappings refuse what is malformed, not allowed, unknown or not permitted", async () => {
  await using s = await subject();
  const range = { offset: 0, length: 4096 };
  const good: [string, string, unknown][] = [
    ["PATCH", "", { size: 1 }],
    ["POST", "/touch", { access: true }],
    ["POST", "/links", { path: "g" }],
    ["POST", "/allocate", range],
    ["POST", "/mappings", mapping],
    ["POST", "/translate", { required: range, access: "read", holder: "me" }],
    ["POST", "/references", range],
  ];
  for (const [method, path, json] of good) {
    const at = s.inode + path;
    for (const bad of [[], 5, null, { ...json as object, extra: 1 }]) {
      await s.api.refused("malformed-request", method, at, { json: bad });
    }
    for (const name of Object.keys(json as object)) {
      const wrong = { ...json as object, [name]: { no: 1 } };
      const { status } = await s.api.send(method, at, { json: wrong });
      assertEquals(status, 400, `${method} ${path} ${name}`);
    }
    const text = { body: "x", headers: { "content-type": "text/plain" } };
    await s.api.refused("wrong-media-type", method, at, text);
    const empty = { body: "", headers: { "content-type": "application/json" } };
    await s.api.refused("malformed-request", method, at, empty);
    const unknown = at.replace(/inodes\/[0-9a-f]+/, "inodes/0123456789ab");
    await s.api.refused("inode-not-found", method, unknown, { json });
    const reader: TestRequest = {
      listener: { kind: "unix", principal: new Principal("t", ["read"]) },
    };
    await s.api.refused("not-permitted", method, at, { json, ...reader });
  }
  const notAllowed: [string, string, unknown][] = [
    ["PATCH", "", { permissions: 0o10000 }],
    ["PATCH", "", { uid: 2 ** 32 - 1 }],
    ["PATCH", "", { accessTime: "yesterday" }],
    ["PATCH", "", { modificationTime: "2001-02-30T00:00:00Z" }],
    ["POST", "/mappings", { ...mapping, offset: "18446744073709551615" }],
    ["POST", "/mappings", { ...mapping, offset: 5 }],
    ["POST", "/mappings", { ...mapping, length: 0 }],
    ["POST", "/mappings", { ...mapping, address: "18446744073709551616" }],
    ["POST", "/translate", { required: { offset: 1, length: 1 }, access: "read", holder: "me" }],
    ["POST", "/translate", { required: range, access: "execute", holder: "me" }],
    ["POST", "/references", { offset: 0, length: 1 }],
    ["POST", "/links", { path: "a\0b" }],
  ];
  for (const [method, path, json] of notAllowed) {
    await s.api.refused("value-not-allowed", method, s.inode + path, { json });
  }
  await s.api.refused("malformed-request", "POST", `${s.inode}/mappings`, {
    json: { ...mapping, copyOf: mapping },
  });
  for (const bad of ["", "?offset=0", "?offset=x&length=1"]) {
    await s.api.refused("malformed-request", "DELETE", `${s.inode}/references${bad}`);
  }
  await s.api.refused("malformed-request", "DELETE", `${s.inode}/mappings?space=vm`);
  await s.api.refused("malformed-request", "DELETE", `${s.inode}/links`);
  await s.api.refused("value-not-allowed", "POST", `${s.inode}/invalidate?discard=maybe`);
  assertEquals((await s.api.json(200, "GET", `${s.inode}/mappings`)).items, []);
});

Deno.test("POST /v1/inodes takes a url alone, a lease, noatime and limitTranslation", async () => {
  await using s = await subject();
  const send = (json: unknown) => s.api.send("POST", "/v1/inodes", { json });
  const url = "http://127.0.0.1:1/x";
  await s.api.refused("outside-root", "POST", "/v1/inodes", { json: { url, holder: "me" } });
  await s.api.refused("malformed-request", "POST", "/v1/inodes", { json: { ...OPEN, url } });
  await s.api.refused("malformed-request", "POST", "/v1/inodes", { json: { holder: "me" } });
  for (const leaseMs of [0, -1, 1e12]) assertEquals((await send({ ...OPEN, leaseMs })).status, 422);
  assertEquals((await send({ ...OPEN, leaseMs: "9" })).status, 400);
  const json = {
    ...OPEN,
    path: "g",
    cache: "host",
    leaseMs: 9,
    noatime: true,
    limitTranslation: true,
  };
  const { id } = await s.api.json(201, "POST", "/v1/inodes", { json });
  const g = `/v1/inodes/${id}`;
  const range = { offset: "0", length: String(1024 * PAGE) };
  await s.api.json(201, "POST", `${g}/mappings`, {
    json: { space: "vm", address: 0, ...range, writable: false },
  });
  const { translations } = await s.api.json(200, "POST", `${g}/translate`, {
    json: {
      required: { offset: 4096, length: 4096 },
      optional: range,
      access: "read",
      holder: "me",
    },
  });
  assertEquals(translations, [{
    source: { offset: "4096", length: "65536" },
    file: s.host.path("g"),
    identity: nodeOf(s.host.path("g")),
    offset: "4096",
    permissions: "read",
  }]);
});
