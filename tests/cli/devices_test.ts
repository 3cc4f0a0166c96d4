import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { devices } from "../../src/cli/devices.ts";
import { ExitError, UsageError } from "../../src/cli/exit.ts";
import { HttpClient } from "../../src/client/http_client.ts";
import { ProblemError } from "../../src/client/problem_error.ts";
import { deviceRoutes } from "../../routes/devices/devices.ts";
import { Api } from "../support/api.ts";
import { DevicesBench } from "../support/devices.ts";
import { runSpec } from "../support/command.ts";

type Run = (...args: string[]) => Promise<string[]>;

/** The command on routes without a socket. */
async function setUp(): Promise<{ run: Run; api: Api; bench: DevicesBench }> {
  const bench = new DevicesBench();
  await bench.disk("sda", 8, 0);
  const api = Api.of(deviceRoutes(await bench.open(), bench.resolver));
  const client = new HttpClient({
    url: "http://localhost",
    fetch: (input, init = {}) => {
      const { pathname, search } = new URL(String(input));
      return api.send(init.method ?? "GET", pathname + search, {
        ...(typeof init.body === "string" ? { body: init.body } : {}),
        headers: init.headers as Record<string, string>,
      });
    },
  });
  const run: Run = async (...args) => [...(await runSpec(devices, args, client)).out];
  return { run, api, bench };
}

const SDA = { containerPath: "/dev/a", type: "b", major: 8, minor: 0, sandbox: "s1" };

Deno.test("devices list shows who holds what, and who is lost", async () => {
  const { run, api, bench } = await setUp();
  await api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "multi" } });
  const { id } = await api.json(201, "POST", "/v1/devices", { json: SDA });
  await run("attach", id, "c1");
  await run("attach", id, "c2", "--lease-ms", "10");
  bench.clock.advance(10);
  assertEquals(await run("list"), [
    "DEVICE  KIND  SANDBOX  STATUS  HELD BY  PATH",
    `${id}  block  s1  attached  c1,c2(lost)  /dev/sda`,
    "anon-1  multi  -  -  -  -",
  ]);
  const [line = "", ...others] = await run("list", "--kind", "block", "--json");
  assertEquals([JSON.parse(line).id, others], [id, []]);
  assertEquals((await run("list", "--sandbox", "s2")).length, 1);
});

Deno.test("devices resolve, attach, render and detach print what the daemon answers", async () => {
  const { run, api } = await setUp();
  const [resolved = ""] = await run("resolve", "b", "8:0", "/dev/mine");
  assertEquals(JSON.parse(resolved).hostPath, "/dev/sda");
  const { id } = await api.json(201, "POST", "/v1/devices", { json: SDA });
  const [attached = ""] = await run("attach", id, "c1");
  assertEquals(JSON.parse(attached).block.index, 0);
  const [rendered = ""] = await run("render", id, "qemu", "--bus", "rp1");
  assertEquals(JSON.parse(rendered).steps[0].execute, "blockdev-add");
  assertEquals(await run("detach", id, "c1"), []);
  await assertRejects(() => run("render", id, "qemu"), ProblemError, "nobody holds it");
});

Deno.test("devices image prints an image and puts it in place", async () => {
  const first = await setUp();
  await first.api.json(201, "POST", "/v1/devices/anonymous", { json: { kind: "simple" } });
  const [image = ""] = await first.run("image");
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, image);
  const second = await setUp();
  await second.run("image", "load", file);
  assertEquals(await second.run("image"), [image]);
  await second.run("image", "match", file);
  await assertRejects(() => second.run("image", "load", file), ProblemError);
  await Deno.writeTextFile(file, "{");
  await assertRejects(() => second.run("image", "load", file), ExitError, "not JSON");
  await assertRejects(() => second.run("image", "load", "/no/such/file"), ExitError);
});

Deno.test("devices refuses words that it does not know and names its usage", async () => {
  const { run } = await setUp();
  for (
    const args of [
      [],
      ["fly"],
      ["constructor"],
      ["list", "extra"],
      ["list", "--unknown"],
      ["resolve", "b", "8:0"],
      ["resolve", "b", "8-0", "/dev/a"],
      ["attach", "id"],
      ["attach", "id", "c1", "--lease-ms", "soon"],
      ["render", "id"],
      ["image", "load"],
    ]
  ) {
    const error = await assertRejects(() => run(...args), UsageError);
    if (args.length > 1 && args[0] !== "attach") assertStringIncludes(error.message, "usage");
  }
});
