import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Daemon } from "./daemon.ts";
import { PageProbe } from "./page_probe.ts";
import { VmclockProbe } from "./vmclock_probe.ts";

/**
 * Bumps this many times. Another program reads the vmclock page all the time, and must never find
 * its sequence odd. Whenever somebody is notified of a generation, another program reads the
 * page, which must never show less.
 */
export async function bumpAndProbe(bumps: number): Promise<void> {
  const program = await PageProbe.compile();
  await using daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/vm-7", {});
  await using probe = PageProbe.start(program, `${daemon.pageFolder}/vm-7/sysgenid`);
  const clock = await VmclockProbe.start(`${daemon.pageFolder}/vm-7/vmclock`);
  const client = await daemon.watch();
  await client.watchScope("vm-7", "app");
  for (let n = 0; n < bumps; n++) {
    const pushed = client.next("generation").then(async ({ generation }) => {
      assertGreaterOrEqual(await probe.read(), generation, "the push came before the page");
      return generation;
    });
    const reply = await daemon.json(201, "POST", "/v1/scopes/vm-7/bumps", { reason: "x" });
    const generation = await pushed;
    assertGreaterOrEqual(await probe.read(), reply.generation, "the reply came before the page");
    const opened = daemon.fetch("/v1/scopes/vm-7/barrier", { headers: { prefer: "wait=10" } });
    await client.request({ type: "ack", scope: "vm-7", generation });
    const { status, headers, body } = await opened;
    await body?.cancel();
    if (status !== 204) throw new Error(`the barrier answered ${status}`);
    const confirmed = Number(headers.get("innkeeper-generation"));
    assertGreaterOrEqual(await probe.read(), confirmed, "the barrier came before the page");
  }
  await client.close();
  const { looks: _looks, ...seen } = await clock.end();
  assertEquals(seen, { odd: 0, gaveUp: 0, wentBack: 0, generation: bumps });
}
