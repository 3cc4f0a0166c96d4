import { assertEquals } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { HELLO } from "../support/guest_programs.ts";

const READY = 0x600d;

Deno.test("a channel is followed over the watch socket, which says it until it is drained", async () => {
  await using daemon = await Daemon.start();
  const bytes = HELLO.toBase64();
  const made = await daemon.json(201, "POST", "/v1/guests", {
    name: "hello",
    bare: { pfnLimit: 16, start: "4096", load: [{ at: "4096", bytes }] },
  });
  const client = await daemon.watch();
  const frame = { guest: "hello", address: READY };
  assertEquals((await client.request({ type: "attach", ...frame }))["type"], "attached");
  const owner = { "innkeeper-owner": made.ownerToken, "content-type": "application/json" };
  const run = () =>
    daemon.fetch("/v1/guests/hello/runs", {
      method: "POST",
      headers: owner,
      body: '{"budgetMs":300}',
    });
  const running = run();
  const notify = await client.next("notify");
  assertEquals([notify["guest"], notify["address"], notify["count"]], ["hello", READY, 1]);
  const drained = await client.request({ type: "drain", ...frame, count: 1 });
  assertEquals([drained["type"], drained["count"]], ["drained", 0]);
  await (await running).body?.cancel();
  const refused = async (request: Record<string, unknown>) =>
    (await client.request(request))["problem"].code;
  assertEquals(await refused({ type: "attach", guest: "nobody", address: 1 }), "guest-not-found");
  assertEquals(await refused({ type: "attach", ...frame, address: 0 }), "value-not-allowed");
  assertEquals(
    await refused({ type: "drain", ...frame, address: 7, count: 1 }),
    "channel-not-found",
  );
  assertEquals(await refused({ type: "drain", ...frame, count: 0 }), "value-not-allowed");
  await client.close();
});
