import { assertEquals, assertStringIncludes } from "@std/assert";
import { MAP_KEYS_MAX, SECONDARY_DEVICE_CHARS_MAX } from "../../../src/core/limits.ts";
import { Principal } from "../../../src/access/tokens.ts";
import type { AnonymousBounds } from "../../../src/devices/anonymous/anonymous_devices.ts";
import { deviceRoutes } from "../../../routes/devices/devices.ts";
import { Api } from "../../support/api.ts";
import { DevicesBench } from "../../support/devices.ts";
import type { MemoryHostTree } from "../../support/host_tree.ts";
import type { MemoryLedger } from "../../support/ledger.ts";

const U64_END = "18446744073709551616";

async function setUp(bounds?: AnonymousBounds): Promise<{
  api: Api;
  ledger: MemoryLedger;
  hostTree: MemoryHostTree;
}> {
  const bench = new DevicesBench({ roots: { vhostStore: "/store" } });
  const { ledger, hostTree } = bench;
  await hostTree.file("/sys/dev/char/1:3/uevent", "DEVNAME=null\n");
  await hostTree.file("/sys/dev/char/1:4/uevent", "DEVNAME=../etc\n");
  await hostTree.file("/sys/dev/char/1:5/uevent", "nonsense");
  await hostTree.file("/sys/dev/block/7:0/uevent", "DEVNAME=loop0\n");
  await hostTree.file("/sys/dev/block/7:0/loop/backing_file", "/srv/disk.img\n");
  const registry = await bench.open(bounds);
  return { api: Api.of(deviceRoutes(registry, bench.resolver)), ledger, hostTree };
}

/** With `anon-1`, a simple device, and `anon-2`, a multi device. */
async function withDevices(): Promise<Awaited<ReturnType<typeof setUp>>> {
  const parts = await setUp();
  await parts.api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "simple" } });
  await parts.api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  return parts;
}

const key = { device: "8", inode: "42" };
const NULL = { containerPath: "/dev/mine", type: "c", major: 1, minor: 3 };

Deno.test("POST /v1/devices/anonymous creates devices of both kinds on the next minors", async () => {
  const { api } = await setUp();
  assertEquals(
    await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "simple", name: "a" } }),
    { id: "anon-1", kind: "simple", name: "a", major: "0", minor: "1", deviceId: "1", last: "0" },
  );
  const multi = { id: "anon-2", kind: "multi", major: "0", minor: "2", deviceId: "2", last: "0" };
  assertEquals(
    await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } }),
    { ...multi, mappings: 0 },
  );
  assertEquals(await api.json(200, "GET", "/v1/devices/anon-2"), { ...multi, mappings: 0 });
});

Deno.test("POST /v1/devices/anonymous answers 507 when the minors are used up", async () => {
  const { api } = await setUp({ minorsMax: 1, mappingsMax: 1 });
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  const request = { json: { kind: "multi" } };
  await api.refused("minors-exhausted", "POST", "/v1/devices/anonymous", request);
  assertEquals((await api.send("POST", "/v1/devices/anonymous", request)).status, 507);
  await api.refused("mappings-exhausted", "POST", "/v1/devices/anon-1/mappings", {
    json: { keys: [key, { ...key, inode: 43 }] },
  });
});

Deno.test("POST /v1/devices/{id}/inodes counts from 1", async () => {
  const { api } = await withDevices();
  for (const inode of ["1", "2", "3"]) {
    assertEquals(await api.json(201, "POST", "/v1/devices/anon-1/inodes"), { inode });
  }
  assertEquals((await api.json(200, "GET", "/v1/devices/anon-1")).last, "3");
});

Deno.test("POST /v1/devices/{id}/mappings answers in the order asked, with 64-bit numbers whole", async () => {
  const { api } = await withDevices();
  const large = {
    device: "18446744073709551615",
    secondaryDevice: "sdb",
    inode: "9007199254740993",
  };
  const keys = [key, large, { device: 8, inode: 42 }, { ...key, secondaryDevice: "" }];
  assertEquals(
    await api.json(200, "POST", "/v1/devices/anon-2/mappings", { json: { keys } }),
    {
      items: [
        { key, virtualInode: "1", created: true },
        { key: large, virtualInode: "2", created: true },
        { key, virtualInode: "1", created: false },
        { key, virtualInode: "1", created: false },
      ],
    },
  );
  assertEquals(await api.json(200, "GET", "/v1/devices/anon-2/mappings/2"), {
    key: large,
    virtualInode: "2",
  });
});

Deno.test("POST /v1/devices/{id}/mappings takes as many keys as the limit, in one commit", async () => {
  const { api, ledger } = await withDevices();
  const keys = Array.from(
    { length: MAP_KEYS_MAX },
    (_, i) => ({ device: "2050", inode: String(i) }),
  );
  let commits = 0;
  const commit = ledger.commit.bind(ledger);
  ledger.commit = (entries) => {
    commits++;
    return commit(entries);
  };
  const { items } = await api.json(200, "POST", "/v1/devices/anon-2/mappings", { json: { keys } });
  assertEquals([items.length, items.at(-1).virtualInode, commits], [
    MAP_KEYS_MAX,
    String(MAP_KEYS_MAX),
    1,
  ]);
  await api.refused("value-not-allowed", "POST", "/v1/devices/anon-2/mappings", {
    json: { keys: [...keys, key] },
  });
});

Deno.test("PUT /v1/devices/{id}/mappings/{virtualInode} loads once and refuses conflicts", async () => {
  const { api } = await withDevices();
  const path = "/v1/devices/anon-2/mappings";
  const mapping = { key, virtualInode: "5" };
  assertEquals(await api.json(201, "PUT", `${path}/5`, { json: { key } }), mapping);
  assertEquals(await api.json(200, "PUT", `${path}/5`, { json: { key } }), mapping);
  await api.refused("mapping-conflict", "PUT", `${path}/6`, { json: { key } });
  const other = { json: { key: { ...key, inode: 43 } } };
  await api.refused("mapping-conflict", "PUT", `${path}/5`, other);
  await api.refused("value-not-allowed", "PUT", `${path}/0`, other);
  await api.json(201, "PUT", `${path}/18446744073709551615`, other);
  assertEquals((await api.json(200, "GET", "/v1/devices/anon-2")).mappings, 2);
});

Deno.test("DELETE /v1/devices/{id}/mappings/{virtualInode} frees it once", async () => {
  const { api } = await withDevices();
  const path = "/v1/devices/anon-2/mappings";
  await api.json(200, "POST", path, { json: { keys: [key] } });
  await api.json(204, "DELETE", `${path}/1`);
  await api.refused("mapping-not-found", "DELETE", `${path}/1`);
  await api.refused("mapping-not-found", "GET", `${path}/1`);
  const again = await api.json(200, "POST", path, { json: { keys: [key] } });
  assertEquals(again.items[0].virtualInode, "2");
});

Deno.test("GET /v1/devices/{id}/mappings pages in JSON", async () => {
  const { api } = await withDevices();
  const path = "/v1/devices/anon-2/mappings";
  const keys = [3, 1, 2].map((inode) => ({ device: "8", inode: String(inode) }));
  await api.json(200, "POST", path, { json: { keys } });
  const first = await api.json(200, "GET", `${path}?limit=2`);
  assertEquals(first.items.map((item: { key: unknown }) => item.key), keys.slice(0, 2));
  assertEquals(first.next, "2");
  const second = await api.json(200, "GET", `${path}?limit=2&cursor=${first.next}`);
  assertEquals(second, { items: [{ key: keys[2], virtualInode: "3" }] });
});

Deno.test("GET /v1/devices/{id}/mappings gives all as text, a line each", async () => {
  const { api } = await withDevices();
  const path = "/v1/devices/anon-2/mappings";
  const keys = Array.from({ length: 2500 }, (_, i) => ({
    device: "8",
    secondaryDevice: "s",
    inode: String(i),
  }));
  await api.json(200, "POST", path, { json: { keys } });
  const headers = { accept: "text/plain" };
  const response = await api.send("GET", path, { headers });
  assertEquals(response.headers.get("content-type"), "text/plain; charset=utf-8");
  const lines = keys.map(({ inode }, i) =>
    `key{device: 8, sdevice: s, inode: ${inode}} -> ${i + 1}\n`
  );
  assertEquals(await response.text(), lines.join(""));
  const part = await api.send("GET", `${path}?limit=2&cursor=10`, { headers });
  assertEquals(await part.text(), lines.slice(10, 12).join(""));
});

Deno.test("POST /v1/devices/resolve answers what the host has and how it knows", async () => {
  const { api } = await setUp();
  const whole = {
    ...NULL,
    hostPath: "/x",
    pmem: false,
    fileMode: 438,
    uid: 0,
    gid: 0,
    driverOptions: { fstype: "ext4" },
  };
  assertEquals(await api.json(200, "POST", "/v1/devices/resolve", { json: whole }), {
    driver: "generic",
    hostPath: "/dev/null",
    evidence: ["/sys/dev/char/1:3/uevent"],
  });
  const loop = { containerPath: "/dev/l", type: "b", major: "7", minor: "0" };
  assertEquals(await api.json(200, "POST", "/v1/devices/resolve", { json: loop }), {
    driver: "block",
    hostPath: "/dev/loop0",
    backingFile: "/srv/disk.img",
    evidence: ["/sys/dev/block/7:0/uevent", "/sys/dev/block/7:0/loop/backing_file"],
  });
});

Deno.test("POST /v1/devices/resolve refuses what the host lacks or hides", async () => {
  const { api } = await setUp();
  const request = (info: object) => ({ json: { ...NULL, ...info } });
  const path = "/v1/devices/resolve";
  await api.refused("no-such-device", "POST", path, request({ type: "b", major: 241 }));
  await api.refused("device-path-escapes", "POST", path, request({ minor: 4 }));
  await api.refused("device-unreadable", "POST", path, request({ minor: 5 }));
});

Deno.test("device routes answer 404 for an unknown device and 409 for one of the other kind", async () => {
  const { api } = await withDevices();
  const keys = { json: { keys: [key] } };
  const load = { json: { key } };
  for (const id of ["anon-3", "anon-01", "ANON-1", "constructor", "anonymous"]) {
    const base = `/v1/devices/${id}`;
    await api.refused("device-not-found", "GET", base);
    await api.refused("device-not-found", "POST", `${base}/inodes`);
    await api.refused("device-not-found", "POST", `${base}/mappings`, keys);
    await api.refused("device-not-found", "GET", `${base}/mappings`);
    await api.refused("device-not-found", "GET", `${base}/mappings/1`);
    await api.refused("device-not-found", "PUT", `${base}/mappings/1`, load);
    await api.refused("device-not-found", "DELETE", `${base}/mappings/1`);
  }
  await api.refused("wrong-device-kind", "POST", "/v1/devices/anon-2/inodes");
  const simple = "/v1/devices/anon-1/mappings";
  await api.refused("wrong-device-kind", "POST", simple, keys);
  await api.refused("wrong-device-kind", "GET", simple);
  await api.refused("wrong-device-kind", "GET", `${simple}/1`);
  await api.refused("wrong-device-kind", "PUT", `${simple}/1`, load);
  await api.refused("wrong-device-kind", "DELETE", `${simple}/1`);
});

const POSTS = [
  ["POST", "/v1/devices/anonymous"],
  ["POST", "/v1/devices/anon-2/mappings"],
  ["PUT", "/v1/devices/anon-2/mappings/1"],
  ["POST", "/v1/devices/resolve"],
] as const;

Deno.test("device routes refuse bodies that are no JSON objects", async () => {
  const { api } = await withDevices();
  const headers = { "content-type": "application/json" };
  for (const [method, path] of POSTS) {
    for (const body of ["", "{", "null", "[]", "7", '"kind"', "{}", '{"extra":1}']) {
      await api.refused("malformed-request", method, path, { body, headers });
    }
    const text = { body: '{"kind":"multi"}', headers: { "content-type": "text/plain" } };
    await api.refused("wrong-media-type", method, path, text);
  }
});

Deno.test("POST /v1/devices/anonymous refuses bad members and creates nothing", async () => {
  const { api, ledger } = await setUp();
  for (
    const [code, json] of [
      ["malformed-request", { kind: 1 }],
      ["malformed-request", { kind: "simple", name: null }],
      ["malformed-request", { kind: "simple", minor: 7 }],
      ["value-not-allowed", { kind: "other" }],
      ["bad-name", { kind: "simple", name: "A" }],
      ["bad-name", { kind: "simple", name: "" }],
      ["bad-name", { kind: "simple", name: "a".repeat(65) }],
    ] as const
  ) await api.refused(code, "POST", "/v1/devices/anonymous", { json });
  assertEquals(await ledger.load("device"), []);
});

Deno.test("mapping routes refuse bad keys and map nothing", async () => {
  const { api, ledger } = await withDevices();
  const bad = [
    ["malformed-request", { device: "8" }],
    ["malformed-request", { inode: "8" }],
    ["malformed-request", { ...key, extra: 1 }],
    ["malformed-request", { ...key, inode: null }],
    ["malformed-request", { ...key, inode: 1.5 }],
    ["malformed-request", { ...key, inode: "0x10" }],
    ["malformed-request", { ...key, inode: "" }],
    ["malformed-request", { ...key, inode: ["1"] }],
    ["malformed-request", { ...key, secondaryDevice: 7 }],
    ["value-not-allowed", { ...key, inode: -1 }],
    ["value-not-allowed", { ...key, inode: "-1" }],
    ["value-not-allowed", { ...key, device: U64_END }],
    ["value-not-allowed", { ...key, device: 2 ** 53 }],
    ["value-not-allowed", { ...key, device: "01" }],
    ["value-not-allowed", { ...key, secondaryDevice: "a\nb" }],
    ["value-not-allowed", { ...key, secondaryDevice: "\ud800" }],
    ["value-not-allowed", { ...key, secondaryDevice: "\u2028" }],
    ["value-not-allowed", { ...key, secondaryDevice: "a".repeat(SECONDARY_DEVICE_CHARS_MAX + 1) }],
  ] as const;
  for (const [code, one] of bad) {
    await api.refused(code, "POST", "/v1/devices/anon-2/mappings", { json: { keys: [key, one] } });
    await api.refused(code, "PUT", "/v1/devices/anon-2/mappings/1", { json: { key: one } });
  }
  for (const keys of [null, "x", { 0: key }, [null], ["8"]]) {
    await api.refused("malformed-request", "POST", "/v1/devices/anon-2/mappings", {
      json: { keys },
    });
  }
  assertEquals(await ledger.load("mapping"), []);
  const empty = await api.json(200, "POST", "/v1/devices/anon-2/mappings", { json: { keys: [] } });
  assertEquals(empty, { items: [] });
});

Deno.test("mapping routes refuse a virtual inode, limit or cursor that is none", async () => {
  const { api } = await withDevices();
  const path = "/v1/devices/anon-2/mappings";
  for (
    const [code, virtualInode] of [
      ["malformed-request", "x"],
      ["malformed-request", "1.5"],
      ["value-not-allowed", "-1"],
      ["value-not-allowed", U64_END],
      ["value-not-allowed", "01"],
    ] as const
  ) {
    await api.refused(code, "GET", `${path}/${virtualInode}`);
    await api.refused(code, "DELETE", `${path}/${virtualInode}`);
    await api.refused(code, "PUT", `${path}/${virtualInode}`, { json: { key } });
  }
  await api.refused("mapping-not-found", "GET", `${path}/0`);
  await api.refused("mapping-not-found", "DELETE", `${path}/0`);
  for (const query of ["limit=0", "limit=1001", "limit=x", "limit=-1", `cursor=${U64_END}`]) {
    await api.refused("value-not-allowed", "GET", `${path}?${query}`);
  }
  await api.refused("malformed-request", "GET", `${path}?cursor=x`);
  await api.refused("malformed-request", "GET", `${path}?offset=1`);
});

Deno.test("POST /v1/devices/resolve refuses bad members and looks nowhere", async () => {
  const { api, hostTree } = await setUp();
  for (
    const [code, change] of [
      ["malformed-request", { containerPath: undefined }],
      ["malformed-request", { major: undefined }],
      ["malformed-request", { type: undefined }],
      ["malformed-request", { extra: 1 }],
      ["malformed-request", { major: "eight" }],
      ["malformed-request", { pmem: "yes" }],
      ["malformed-request", { fileMode: "0644" }],
      ["malformed-request", { uid: 1.5 }],
      ["malformed-request", { driverOptions: { fstype: 1 } }],
      ["malformed-request", { driverOptions: [] }],
      ["value-not-allowed", { containerPath: "" }],
      ["value-not-allowed", { containerPath: `/${"a".repeat(5000)}` }],
      ["value-not-allowed", { type: "x" }],
      ["value-not-allowed", { major: -1 }],
      ["value-not-allowed", { minor: U64_END }],
      ["value-not-allowed", { gid: -1 }],
      ["value-not-allowed", { fileMode: 2 ** 32 }],
    ] as const
  ) await api.refused(code, "POST", "/v1/devices/resolve", { json: { ...NULL, ...change } });
  assertEquals(hostTree.calls, []);
});

Deno.test("device routes ask for read to look and for write to change", async () => {
  const { api } = await withDevices();
  await api.json(200, "POST", "/v1/devices/anon-2/mappings", { json: { keys: [key] } });
  const as = (access: "read" | "write") => ({
    listener: { kind: "unix", principal: new Principal("test", [access]) } as const,
  });
  const routes = [
    ["read", 200, "GET", "/v1/devices/anon-2", undefined],
    ["read", 200, "GET", "/v1/devices/anon-2/mappings", undefined],
    ["read", 200, "GET", "/v1/devices/anon-2/mappings/1", undefined],
    ["read", 200, "POST", "/v1/devices/resolve", NULL],
    ["write", 201, "POST", "/v1/devices/anonymous", { kind: "simple" }],
    ["write", 201, "POST", "/v1/devices/anon-1/inodes", undefined],
    ["write", 200, "POST", "/v1/devices/anon-2/mappings", { keys: [key] }],
    ["write", 201, "PUT", "/v1/devices/anon-2/mappings/9", { key: { ...key, inode: 1 } }],
    ["write", 204, "DELETE", "/v1/devices/anon-2/mappings/1", undefined],
  ] as const;
  for (const [access, status, method, path, json] of routes) {
    const other = access === "read" ? "write" : "read";
    await api.refused("not-permitted", method, path, { json, ...as(other) });
    await api.json(status, method, path, { json, ...as(access) });
  }
});

Deno.test("device routes answer 503 with Retry-After when the ledger fails", async () => {
  const { api, ledger } = await withDevices();
  ledger.failing = new Error("disk is full");
  const response = await api.send("POST", "/v1/devices/anon-1/inodes");
  assertEquals([response.status, response.headers.get("retry-after")], [503, "1"]);
  assertStringIncludes((await response.json()).detail, "disk is full");
  ledger.failing = undefined;
  assertEquals(await api.json(201, "POST", "/v1/devices/anon-1/inodes"), { inode: "1" });
});
