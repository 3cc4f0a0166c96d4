import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import type { Daemon } from "../support/daemon.ts";
import { compile, daemonPid, missingMount, MountedPlace, Program, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

const PROCESSES = 1_000;
const KILLS = 3;

interface Named {
  readonly watcher: string;
  readonly name: string;
}

/** JSON of an answer; `undefined` while no daemon answers. */
async function fetchJson(
  daemon: Daemon,
  path: string,
  init: RequestInit = {},
  // deno-lint-ignore no-explicit-any -- members are asserted one by one
): Promise<{ status: number; body: any } | undefined> {
  const headers = { accept: "application/json", "content-type": "application/json" };
  try {
    const signal = AbortSignal.timeout(5_000);
    const answer = await daemon.fetch(path, { headers, signal, ...init });
    return { status: answer.status, body: await answer.json() };
  } catch {
    await delay(10);
    return undefined;
  }
}

/** (a) and (b) of the gate, on an open barrier. Nobody else bumps. */
async function checkOpen(
  daemon: Daemon,
  open: { epoch: string; confirmed: Named[]; left: Named[] },
): Promise<void> {
  const confirmed = new Set(open.confirmed.map(({ watcher }) => watcher));
  assert(!open.left.some(({ watcher }) => confirmed.has(watcher)), "it left and has confirmed");
  const late = await fetchJson(
    daemon,
    "/v1/scopes/s/watchers?tracked=true&outdated=true&limit=1000",
  );
  const scope = await fetchJson(daemon, "/v1/scopes/s");
  if (late?.status !== 200 || scope?.body.epoch !== open.epoch) return;
  assertEquals(late.body.items, [], "the barrier was open and somebody is late");
}

testWhere(
  "mount: 1,000 processes come and go while the daemon is killed again and again, and none leaks",
  missingMount(),
  async () => {
    using place = new MountedPlace();
    const program = compile("watcher");
    await using daemon = await place.start();
    await daemon.json(201, "PUT", "/v1/scopes/s", {});
    using follower = Program.start(program, ["follow", place.sysgenid]);
    assertEquals(await follower.line(), "tracked");
    let isOver = false;
    const crowd = run(program, ["crowd", place.sysgenid, String(PROCESSES), "11", "20"])
      .finally(() => isOver = true);
    const killing = (async () => {
      for (let kills = 0; kills < KILLS && !isOver; kills++) {
        await delay(500);
        Deno.kill(daemonPid(daemon), "SIGKILL");
        while (await fetchJson(daemon, "/v1/mount") === undefined);
      }
    })();
    let [generation, opened, bumps] = [0, 0, 0];
    while (!isOver || opened === 0) {
      const bumped = await fetchJson(daemon, "/v1/scopes/s/bumps", {
        method: "POST",
        body: JSON.stringify({ reason: "test" }),
      });
      if (bumped?.status !== 201) continue;
      bumps++;
      // What was acknowledged is never taken back, and never used twice.
      assert(bumped.body.generation > generation, `${bumped.body.generation} after ${generation}`);
      generation = bumped.body.generation;
      const barrier = await fetchJson(daemon, "/v1/scopes/s/barrier?timeoutMs=40");
      if (barrier?.status !== 200) continue;
      opened++;
      await checkOpen(daemon, barrier.body);
    }
    assertEquals((await crowd).lines, ["could not open: 0"]);
    await killing;
    assert(bumps > 3 && opened > 0, `${bumps} bumps, ${opened} barriers opened`);
    const names = async (): Promise<string[] | undefined> => {
      const answer = await fetchJson(daemon, "/v1/scopes/s/watchers?limit=1000");
      return answer?.body.items.map(({ name }: Named) => name);
    };
    for (let tries = 0; tries < 200 && (await names())?.length !== 1; tries++) await delay(25);
    assertEquals(await names(), [`watcher-${follower.pid}`]);
    const mount = await fetchJson(daemon, "/v1/mount");
    assertEquals(mount?.body.openFiles, 1);
    // It has never been told twice, nor missed: it still confirms.
    await daemon.json(201, "POST", "/v1/scopes/s/bumps", { reason: "last" });
    const last = await fetchJson(daemon, "/v1/scopes/s/barrier?timeoutMs=5000");
    assertEquals([last?.status, last?.body.confirmed.map(({ name }: Named) => name)], [
      200,
      [`watcher-${follower.pid}`],
    ]);
  },
);
