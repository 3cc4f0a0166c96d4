import { assert, assertEquals } from "@std/assert";
import { JSON_BODY_BYTES_MAX } from "../../../src/core/limits.ts";
import { deviceRoutes } from "../../../routes/devices/devices.ts";
import { Api } from "../../support/api.ts";
import { DevicesBench } from "../../support/devices.ts";

const PATH = "/v1/devices/image";

async function setUp(): Promise<{ api: Api; bench: DevicesBench }> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  await bench.group(12, [{ bdf: "0000:01:00.0" }]);
  return { api: Api.of(deviceRoutes(await bench.open(), bench.resolver)), bench };
}

/** With a device of each sort. */
async function filled(): Promise<Awaited<ReturnType<typeof setUp>>> {
  const parts = await setUp();
  const { api } = parts;
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "simple", name: "a" } });
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  await api.json(201, "POST", "/v1/devices/anon-1/inodes");
  const keys = [
    { device: "18446744073709551615", secondaryDevice: 'a "b"', inode: "9007199254740993" },
    { device: 8, inode: 1 },
  ];
  await api.json(200, "POST", "/v1/devices/anon-2/mappings", { json: { keys } });
  const devices = [
    { containerPath: "/dev/a", type: "b", major: 8, minor: 0, block: { readOnly: true } },
    { containerPath: "/dev/v", type: "c", major: 240, minor: 12 },
    {
      ...{ containerPath: "/n", type: "c", major: 0, minor: 0 },
      vhostUser: { type: "virtio-net-pci", socketPath: "/run/n", macAddress: "52:54:00:00:00:01" },
    },
    { containerPath: "/r", type: "c", major: 0, minor: 0, rng: { filename: "/dev/hwrng" } },
    {
      ...{ containerPath: "/s", type: "p", major: 0, minor: 0 },
      sharedFolder: { type: "virtio-fs", source: "/srv", tag: "t" },
    },
  ];
  for (const json of devices) {
    const { id } = await api.json(201, "POST", "/v1/devices", { json });
    await api.json(200, "PUT", `/v1/devices/${id}/holders/c1`, { json: { leaseMs: 1000 } });
  }
  return parts;
}

Deno.test("GET and PUT /v1/devices/image carry every number and every plug to an empty registry", async () => {
  const first = await filled();
  const response = await first.api.send("GET", PATH);
  assert(response.headers.has("etag"));
  const image = await response.json();
  assertEquals(image.anonymous.devices[1].mappings[0], [
    ...["18446744073709551615", 'a "b"', "9007199254740993", "1"],
  ]);
  assertEquals(image.host.length, 5);
  const second = await setUp();
  await second.api.json(204, "PUT", `${PATH}?mode=load`, { json: image });
  assertEquals(await second.api.json(200, "GET", PATH), image);
  const lists = [];
  for (const { api } of [first, second]) lists.push(await api.json(200, "GET", "/v1/devices"));
  assertEquals(lists[1], lists[0]);
  await second.api.refused("registry-not-empty", "PUT", `${PATH}?mode=load`, { json: image });
});

Deno.test("PUT /v1/devices/image by match honours If-Match and gives the new ETag", async () => {
  const { api } = await filled();
  const response = await api.send("GET", PATH);
  const image = await response.json();
  const etag = response.headers.get("etag") ?? "";
  await api.json(201, "POST", "/v1/devices/anon-1/inodes");
  const stale = { json: image, headers: { "if-match": etag } };
  await api.refused("image-stale", "PUT", `${PATH}?mode=match`, stale);
  const now = (await api.send("GET", PATH)).headers.get("etag") ?? "";
  const request = { json: image, headers: { "if-match": `"other", ${now}` } };
  const restored = await api.send("PUT", `${PATH}?mode=match`, request);
  assertEquals([restored.status, restored.headers.get("etag") === now], [204, false]);
  assertEquals((await api.json(200, "GET", "/v1/devices/anon-1")).last, "1");
  const any = { json: image, headers: { "if-match": "*" } };
  await api.json(204, "PUT", `${PATH}?mode=match`, any);
});

Deno.test("PUT /v1/devices/image answers 409 with the difference", async () => {
  const { api } = await filled();
  const image = await api.json(200, "GET", PATH);
  await api.json(204, "DELETE", "/v1/devices/anon-2");
  const problem = await api.refused("device-set-differs", "PUT", `${PATH}?mode=match`, {
    json: image,
  }) as { added: unknown; removed: unknown };
  assertEquals([problem.added, problem.removed], [[{ id: "anon-2", kind: "multi" }], []]);
});

Deno.test("PUT /v1/devices/image takes a larger body than other routes", async () => {
  const { api } = await setUp();
  const mappings = Array.from({ length: 60_000 }, (_, i) => ["2050", "", `${i}`, `${i + 1}`]);
  const image = {
    version: 1,
    anonymous: {
      lastMinor: "1",
      devices: [{ kind: "multi", minor: "1", last: "60000", mappings, retired: [] }],
    },
    host: [],
  };
  const secondary = "s".repeat(40);
  const json = JSON.parse(JSON.stringify(image).replaceAll('"2050",""', `"2050","${secondary}"`));
  assert(JSON.stringify(json).length > JSON_BODY_BYTES_MAX);
  await api.json(204, "PUT", `${PATH}?mode=load`, { json });
  assertEquals((await api.json(200, "GET", "/v1/devices/anon-1")).mappings, 60_000);
});

Deno.test("PUT /v1/devices/image says that it knows another version before anything else", async () => {
  const { api } = await filled();
  for (const version of [0, 2, 1_000_000]) {
    const json = { version, whatever: true };
    await api.refused("image-version", "PUT", `${PATH}?mode=match`, { json });
  }
});

Deno.test("PUT /v1/devices/image refuses bad images and changes nothing", async () => {
  const { api } = await filled();
  const image = await api.json(200, "GET", PATH);
  const [simple, multi] = image.anonymous.devices;
  const devices = (...devices: unknown[]) => ({
    ...image,
    anonymous: { ...image.anonymous, devices },
  });
  const mappings = (...mappings: unknown[]) => devices(simple, { ...multi, mappings });
  const block = image.host.find((one: { kind: string }) => one.kind === "block");
  const others = image.host.filter((one: unknown) => one !== block);
  const host = (change: object) => ({ ...image, host: [{ ...block, ...change }, ...others] });
  for (
    const [code, json] of [
      ["malformed-request", {}],
      ["malformed-request", { version: 1 }],
      ["malformed-request", { ...image, version: "1" }],
      ["malformed-request", { ...image, extra: 1 }],
      ["malformed-request", { ...image, host: {} }],
      ["malformed-request", devices({ ...simple, last: 1 })],
      ["malformed-request", devices({ ...simple, retired: undefined })],
      ["malformed-request", mappings(["8", "", "1"])],
      ["malformed-request", mappings({ device: "8" })],
      ["malformed-request", mappings(["8", "", 1, "1"])],
      ["malformed-request", mappings(["8", "\n", "1", "1"])],
      ["malformed-request", mappings(["8", "", "1", "18446744073709551616"])],
      ["malformed-request", host({ extra: 1 })],
      ["malformed-request", host({ info: undefined })],
      ["value-not-allowed", devices({ ...simple, kind: "other" })],
      ["value-not-allowed", devices({ ...simple, last: "18446744073709551616" })],
      ["value-not-allowed", devices({ ...simple, minor: "-1" })],
      ["value-not-allowed", host({ id: "../x" })],
      ["value-not-allowed", host({ kind: "gpu" })],
      ["bad-name", host({ sandbox: "A" })],
      ["image-contradicts", mappings(["8", "", "1", "0"])],
      ["image-contradicts", host({ holders: [] })],
    ] as const
  ) await api.refused(code, "PUT", `${PATH}?mode=match`, { json });
  await api.refused("malformed-request", "PUT", PATH, { json: image });
  await api.refused("value-not-allowed", "PUT", `${PATH}?mode=force`, { json: image });
  const text = { body: "{}", headers: { "content-type": "text/plain" } };
  await api.refused("wrong-media-type", "PUT", `${PATH}?mode=match`, text);
  assertEquals(await api.json(200, "GET", PATH), image);
});
