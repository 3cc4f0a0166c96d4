import { assert, assertEquals } from "@std/assert";
import { DRIVER_OPTIONS_MAX } from "../../../src/core/limits.ts";
import { Principal } from "../../../src/access/tokens.ts";
import { deviceRoutes } from "../../../routes/devices/devices.ts";
import { Api } from "../../support/api.ts";
import { DevicesBench } from "../../support/devices.ts";

const SDA = { containerPath: "/dev/a", type: "b", major: 8, minor: 0 };
const GROUP = { containerPath: "/dev/vfio/12", type: "c", major: 240, minor: 12 };
const NOWHERE = "0123456789abcdef";

async function setUp(): Promise<{ api: Api; bench: DevicesBench }> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  await bench.disk("sdb", 8, 16);
  await bench.group(12, [{ bdf: "0000:01:00.0" }]);
  return { api: Api.of(deviceRoutes(await bench.open(), bench.resolver)), bench };
}

const registered = async (api: Api, json: object = SDA): Promise<string> =>
  (await api.json(201, "POST", "/v1/devices", { json })).id;

Deno.test("POST /v1/devices registers once, with every field of the seed", async () => {
  const { api } = await setUp();
  const json = {
    ...SDA,
    hostPath: "/ignored",
    pmem: false,
    fileMode: 432,
    uid: 1,
    gid: 6,
    driverOptions: { "block-driver": "virtio-blk", fstype: "ext4" },
    sandbox: "s1",
    kind: "block",
    block: { shareRw: true, readOnly: false },
  };
  const device = await api.json(201, "POST", "/v1/devices", { json });
  const { id } = device;
  assertEquals(device, {
    id,
    kind: "block",
    sandbox: "s1",
    status: "idle",
    why: "type b is a block device; driver option block-driver is virtio-blk",
    createdAt: "2023-11-14T22:13:20.000000000Z",
    info: {
      containerPath: "/dev/a",
      hostPath: "/dev/sda",
      type: "b",
      major: "8",
      minor: "0",
      pmem: false,
      fileMode: 432,
      uid: 1,
      gid: 6,
      driverOptions: { "block-driver": "virtio-blk", fstype: "ext4" },
    },
    holders: [],
    block: {
      driver: "virtio-blk",
      file: "/dev/sda",
      format: "ext4",
      id: `drive-${id}`,
      shareRw: true,
      readOnly: false,
      pmem: false,
      isDevice: true,
      sizeBytes: "1048576",
    },
  });
  assertEquals(await api.json(200, "POST", "/v1/devices", { json }), device);
  assertEquals(await api.json(200, "GET", `/v1/devices/${id}`), device);
});

Deno.test("POST /v1/devices registers what is behind a socket, a file or a folder", async () => {
  const { api } = await setUp();
  const vhostUser = {
    type: "vhost-user-fs-pci",
    socketPath: "/run/fs.sock",
    tag: "share",
    cache: "auto",
    cacheSize: 256,
  };
  const fs = await api.json(201, "POST", "/v1/devices", { json: { ...SDA, vhostUser } });
  assertEquals([fs.kind, fs.vhostUser], [
    "vhost-user-fs-pci",
    { ...vhostUser, devId: `fs-${fs.id}` },
  ]);
  const rng = { filename: "/dev/hwrng" };
  const source = await api.json(201, "POST", "/v1/devices", { json: { ...SDA, rng } });
  assertEquals(source.rng, { ...rng, id: `rng-${source.id}` });
  const sharedFolder = { type: "virtio-9p", source: "/srv", tag: "t" };
  const share = await api.json(201, "POST", "/v1/devices", { json: { ...SDA, sharedFolder } });
  assertEquals([share.kind, share.sharedFolder.readOnly], ["virtio-9p", false]);
});

Deno.test("PUT and DELETE …/holders/{holder} are idempotent, by the first and the last one", async () => {
  const { api, bench } = await setUp();
  const id = await registered(api);
  const path = `/v1/devices/${id}/holders`;
  const held = await api.json(200, "PUT", `${path}/c1`);
  assertEquals([held.status, held.block.index, held.block.scsiAddr, held.block.virtPath], [
    "attached",
    0,
    "0:0",
    undefined,
  ]);
  assertEquals(held.holders, [
    { name: "c1", since: "2023-11-14T22:13:20.000000000Z", state: "held" },
  ]);
  assertEquals(await api.json(200, "PUT", `${path}/c1`, { json: {} }), held);
  const leased = await api.json(200, "PUT", `${path}/c2`, { json: { leaseMs: 500 } });
  assertEquals(leased.holders[1].leaseMs, 500);
  bench.clock.advance(500);
  const lost = await api.json(200, "GET", `/v1/devices/${id}`);
  assertEquals([lost.status, lost.holders[1].state], ["attached", "lost"]);
  await api.json(204, "DELETE", `${path}/c1`);
  assertEquals((await api.json(200, "GET", `/v1/devices/${id}`)).status, "lost");
  const problem = await api.refused("device-attached", "DELETE", `/v1/devices/${id}`);
  assertEquals((problem as { holders: string[] }).holders, ["c2"]);
  await api.json(204, "DELETE", `${path}/c2`);
  await api.json(204, "DELETE", `${path}/c2`);
  assertEquals((await api.json(200, "GET", `/v1/devices/${id}`)).block.index, undefined);
  await api.json(204, "DELETE", `/v1/devices/${id}`);
  await api.refused("device-not-found", "GET", `/v1/devices/${id}`);
});

Deno.test("PATCH /v1/devices/{id} takes down what the hypervisor reported", async () => {
  const { api } = await setUp();
  const id = await registered(api);
  const json = { mmioAddr: "0x10", pciAddr: "02/03", nvdimmId: "nv0", devNo: "fe.0.0001" };
  await api.refused("device-not-attached", "PATCH", `/v1/devices/${id}`, { json });
  await api.json(200, "PUT", `/v1/devices/${id}/holders/c1`);
  const { block } = await api.json(200, "PATCH", `/v1/devices/${id}`, { json });
  assertEquals({ ...block, ...json }, block);
  await api.json(200, "PATCH", `/v1/devices/${id}`, { json: {} });
  const group = await registered(api, GROUP);
  await api.refused("wrong-device-kind", "PATCH", `/v1/devices/${group}`, { json });
});

Deno.test("GET /v1/devices/{id}/render answers for each hypervisor, or why it cannot", async () => {
  const { api } = await setUp();
  const id = await registered(api);
  const path = `/v1/devices/${id}/render`;
  await api.refused("not-renderable", "GET", `${path}?for=qemu`);
  await api.json(200, "PUT", `/v1/devices/${id}/holders/c1`);
  for (const hypervisor of ["firecracker", "cloud-hypervisor", "qemu", "libkrun", "crosvm"]) {
    const rendering = await api.json(200, "GET", `${path}?for=${hypervisor}`);
    assert(rendering.steps.length > 0, hypervisor);
  }
  const group = await registered(api, GROUP);
  await api.json(200, "PUT", `/v1/devices/${group}/holders/c1`);
  const problem = await api.refused(
    "not-renderable",
    "GET",
    `/v1/devices/${group}/render?for=libkrun`,
  );
  assert((problem as { reason: string }).reason.length > 0);
  await api.refused("malformed-request", "GET", path);
  await api.refused("value-not-allowed", "GET", `${path}?for=xen`);
  await api.refused("value-not-allowed", "GET", `${path}?for=qemu&bus=a,b`);
  await api.refused("malformed-request", "GET", `${path}?for=qemu&slot=1`);
});

Deno.test("GET /v1/devices lists both sorts, filters and pages", async () => {
  const { api } = await setUp();
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "simple" } });
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  const block = await registered(api, { ...SDA, sandbox: "s1" });
  const group = await registered(api, { ...GROUP, sandbox: "s2" });
  const hosts = [block, group].sort();
  const ids = async (query: string): Promise<string[]> =>
    (await api.json(200, "GET", `/v1/devices${query}`)).items.map((one: { id: string }) => one.id);
  assertEquals(await ids(""), [...hosts, "anon-1", "anon-2"]);
  assertEquals(await ids("?kind=block"), [block]);
  assertEquals(await ids("?sandbox=s2"), [group]);
  assertEquals(await ids("?kind=block&sandbox=s2"), []);
  assertEquals(await ids("?kind=multi"), ["anon-2"]);
  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? "" : `&cursor=${cursor}`;
    const page = await api.json(200, "GET", `/v1/devices?limit=1${query}`);
    paged.push(...page.items.map((one: { id: string }) => one.id));
    cursor = page.next;
  } while (cursor !== undefined);
  assertEquals(paged, [...hosts, "anon-1", "anon-2"]);
});

Deno.test("DELETE /v1/devices/{id} deletes an anonymous device with its mappings", async () => {
  const { api } = await setUp();
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  const keys = [{ device: 8, inode: 1 }];
  await api.json(200, "POST", "/v1/devices/anon-1/mappings", { json: { keys } });
  await api.json(204, "DELETE", "/v1/devices/anon-1");
  await api.refused("device-not-found", "DELETE", "/v1/devices/anon-1");
  const next = await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  assertEquals(next.id, "anon-2");
});

Deno.test("POST /v1/devices answers 409 for what is in use or known otherwise", async () => {
  const { api } = await setUp();
  const id = await registered(api, { ...SDA, sandbox: "s1" });
  const other = { json: { ...SDA, sandbox: "s2" } };
  const problem = await api.refused("device-in-use", "POST", "/v1/devices", other);
  assertEquals((problem as { device: string }).device, id);
  const differs = { json: { ...SDA, sandbox: "s1", block: { readOnly: true } } };
  await api.refused("device-differs", "POST", "/v1/devices", differs);
});

Deno.test("host device routes answer 404 for an unknown device", async () => {
  const { api } = await setUp();
  for (const id of [NOWHERE, "anon-1", "constructor", "__proto__", "A".repeat(300)]) {
    const path = `/v1/devices/${id}`;
    await api.refused("device-not-found", "GET", path);
    await api.refused("device-not-found", "DELETE", path);
    await api.refused("device-not-found", "PATCH", path, { json: {} });
    await api.refused("device-not-found", "PUT", `${path}/holders/c1`, { json: {} });
    await api.refused("device-not-found", "DELETE", `${path}/holders/c1`);
    await api.refused("device-not-found", "GET", `${path}/render?for=qemu`);
  }
});

Deno.test("POST /v1/devices refuses bad members and registers nothing", async () => {
  const { api, bench } = await setUp();
  const options = Array.from({ length: DRIVER_OPTIONS_MAX + 1 }, (_, i) => [`k${i}`, "v"]);
  const fs = { type: "vhost-user-fs-pci", socketPath: "/run/s" };
  for (
    const [code, change] of [
      ["malformed-request", { containerPath: undefined }],
      ["malformed-request", { extra: 1 }],
      ["malformed-request", { sandbox: 7 }],
      ["malformed-request", { kind: 7 }],
      ["malformed-request", { block: { readOnly: "yes" } }],
      ["malformed-request", { block: { file: "/x" } }],
      ["malformed-request", { vhostUser: { type: "vhost-user-fs-pci" } }],
      ["malformed-request", { vhostUser: { ...fs, cacheSize: 1.5 } }],
      ["malformed-request", { rng: {} }],
      ["malformed-request", { rng: [] }],
      ["bad-name", { sandbox: "A" }],
      ["bad-name", { sandbox: "" }],
      ["value-not-allowed", { kind: "gpu" }],
      ["value-not-allowed", { kind: "vfio" }],
      ["value-not-allowed", { containerPath: "" }],
      ["value-not-allowed", { containerPath: "/dev/\u0000" }],
      ["value-not-allowed", { containerPath: "/dev/\ud800" }],
      ["value-not-allowed", { major: -1 }],
      ["value-not-allowed", { minor: "18446744073709551616" }],
      ["value-not-allowed", { driverOptions: Object.fromEntries(options) }],
      ["value-not-allowed", { driverOptions: { fstype: "x".repeat(300) } }],
      ["value-not-allowed", { block: { format: "a,b" } }],
      ["value-not-allowed", { vhostUser: { ...fs, socketPath: "relative" } }],
      ["value-not-allowed", { vhostUser: { ...fs, type: "vhost-user-gpu" } }],
      ["value-not-allowed", { vhostUser: { ...fs, macAddress: "no" } }],
      ["value-not-allowed", { vhostUser: { ...fs, tag: "a,b" } }],
      ["value-not-allowed", { vhostUser: { ...fs, cacheSize: 2 ** 32 } }],
      ["value-not-allowed", { rng: { filename: "/f" }, block: {} }],
      ["value-not-allowed", { type: "c", block: {} }],
    ] as const
  ) await api.refused(code, "POST", "/v1/devices", { json: { ...SDA, ...change } });
  assertEquals(await bench.ledger.load("host-device"), []);
});

Deno.test("holder and report routes refuse bad input and change nothing", async () => {
  const { api, bench } = await setUp();
  const id = await registered(api);
  const before = await bench.ledger.load("host-device");
  for (
    const [code, json] of [
      ["malformed-request", { leaseMs: "1" }],
      ["malformed-request", { leaseMs: null }],
      ["malformed-request", { extra: 1 }],
      ["malformed-request", []],
      ["value-not-allowed", { leaseMs: 0 }],
      ["value-not-allowed", { leaseMs: -1 }],
      ["value-not-allowed", { leaseMs: 2 ** 40 }],
    ] as const
  ) await api.refused(code, "PUT", `/v1/devices/${id}/holders/c1`, { json });
  await api.refused("bad-name", "PUT", `/v1/devices/${id}/holders/C1`, { json: {} });
  await api.refused("bad-name", "DELETE", `/v1/devices/${id}/holders/${"c".repeat(65)}`);
  for (
    const [code, json] of [
      ["malformed-request", { pciAddr: 2 }],
      ["malformed-request", { index: 2 }],
      ["malformed-request", null],
      ["value-not-allowed", { pciAddr: "" }],
      ["value-not-allowed", { pciAddr: "a b" }],
      ["value-not-allowed", { devNo: "x".repeat(65) }],
    ] as const
  ) await api.refused(code, "PATCH", `/v1/devices/${id}`, { json });
  for (const query of ["kind=gpu", "limit=0", "limit=1001", `cursor=${"a".repeat(65)}`]) {
    await api.refused("value-not-allowed", "GET", `/v1/devices?${query}`);
  }
  await api.refused("bad-name", "GET", "/v1/devices?sandbox=A");
  await api.refused("malformed-request", "GET", "/v1/devices?offset=1");
  const headers = { "content-type": "application/json" };
  for (const [method, path] of [["POST", "/v1/devices"], ["PATCH", `/v1/devices/${id}`]] as const) {
    for (const body of ["", "{", "7", "[]", "null"]) {
      await api.refused("malformed-request", method, path, { body, headers });
    }
    const text = { body: "{}", headers: { "content-type": "text/plain" } };
    await api.refused("wrong-media-type", method, path, text);
  }
  assertEquals(await bench.ledger.load("host-device"), before);
});

Deno.test("host device routes ask for read to look and for write to change", async () => {
  const { api } = await setUp();
  const id = await registered(api);
  const as = (access: "read" | "write") => ({
    listener: { kind: "unix", principal: new Principal("test", [access]) } as const,
  });
  const routes = [
    ["write", 200, "POST", "/v1/devices", SDA],
    ["write", 200, "PUT", `/v1/devices/${id}/holders/c1`, {}],
    ["write", 200, "PATCH", `/v1/devices/${id}`, {}],
    ["read", 200, "GET", "/v1/devices", undefined],
    ["read", 200, "GET", `/v1/devices/${id}/render?for=qemu`, undefined],
    ["read", 200, "GET", "/v1/devices/image", undefined],
    ["write", 204, "DELETE", `/v1/devices/${id}/holders/c1`, undefined],
    ["write", 204, "DELETE", `/v1/devices/${id}`, undefined],
  ] as const;
  for (const [access, status, method, path, json] of routes) {
    const other = access === "read" ? "write" : "read";
    await api.refused("not-permitted", method, path, { json, ...as(other) });
    await api.json(status, method, path, { json, ...as(access) });
  }
});
