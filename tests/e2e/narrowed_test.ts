import { assertEquals } from "@std/assert";
import { Daemon, WatchClient } from "../support/daemon.ts";

const FILE = (one: string) => `all\nfirst name=one ${one}\nsecond name=two watch:vm-*,read:vm-*\n`;

Deno.test("SIGHUP ends the sockets, waits and streams of who was narrowed, and of nobody else", async () => {
  await using daemon = await Daemon.start();
  const token = `${daemon.folder}/state/token`;
  const reload = async (text: string): Promise<void> => {
    await Deno.writeTextFile(token, `${daemon.token}\n${text}`);
    daemon.child.kill("SIGHUP");
  };
  await reload(FILE("watch:vm-*,read:vm-*"));
  for (;;) {
    const response = await daemon.fetch("/v1/scopes", {
      headers: { authorization: "Bearer second" },
    });
    await response.body?.cancel();
    if (response.status === 200) break;
  }
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", { atLeast: 1 });
  const [one, two] = await Promise.all(
    ["first", "second"].map((secret) => WatchClient.open(daemon.url, secret)),
  ) as [WatchClient, WatchClient];
  await one.watchScope("vm-7", "a");
  const { token: resume } = await two.watchScope("vm-7", "b");
  const waitOf = (secret: string) =>
    daemon.fetch("/v1/scopes/vm-7/barrier", {
      headers: { authorization: `Bearer ${secret}`, prefer: "wait=30" },
    });
  const [waitsOne, waitsTwo] = [waitOf("first"), waitOf("second")];
  const streamOf = (secret: string) =>
    daemon.fetch("/v1/events", { headers: { authorization: `Bearer ${secret}` } });
  const stream = await streamOf("first");
  await reload(FILE("watch:vm-8,read:vm-8"));
  assertEquals(await one.closed, 4401);
  const refused = await waitsOne;
  assertEquals([refused.status, (await refused.json()).code], [401, "token-unknown"]);
  for await (const _text of stream.body ?? []) continue;

  // The other one goes on; the first one's watcher stays, and its name may come back for it.
  await two.request({ type: "ack", scope: "vm-7", generation: 0, epoch: "0" });
  assertEquals((await waitsTwo).status, 204);
  await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "x" });
  assertEquals((await two.next("generation"))["generation"], 1);
  await two.close();

  // Another secret under the same name: what the first one registered is not orphaned.
  await reload("third name=two watch:vm-*,read:vm-*\n");
  for (;;) {
    const response = await daemon.fetch("/v1/scopes", {
      headers: { authorization: "Bearer third" },
    });
    await response.body?.cancel();
    if (response.status === 200) break;
  }
  const again = await WatchClient.open(daemon.url, "third");
  const back = await again.watchScope("vm-7", "b", resume as string);
  assertEquals([back["resumed"], back["outdated"]], [true, true]);
  await again.close();
});
