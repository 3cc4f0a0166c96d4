import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import type { Daemon } from "../support/daemon.ts";
import { compile, daemonPid, missingMount, MountedPlace, Program, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

async function late(daemon: Daemon): Promise<string[]> {
  const { items } = await daemon.json(200, "GET", "/v1/scopes/s/watchers");
  return (items as { name: string; outdated: boolean }[]).filter(({ outdated }) => outdated)
    .map(({ name }) => name);
}

testWhere(
  "mount: a map lives on over kill -9 and restart, and sees each bump",
  missingMount(),
  async () => {
    using place = new MountedPlace();
    const program = compile("watcher");
    const first = await place.start();
    await first.json(201, "PUT", "/v1/scopes/s", {});
    using reader = Program.start(program, ["map", place.sysgenid]);
    // This one maps for writing: it has a page of its own.
    using writer = Program.start(program, ["own", place.sysgenid]);
    assertEquals([await reader.line(), await writer.line()], ["0", "0"]);
    await first.json(201, "POST", "/v1/scopes/s/bumps", { reason: "one" });
    assertEquals([await reader.line(), await writer.line()], ["1", "1"]);
    await first.stop("SIGKILL");
    await delay(50);
    await using second = await place.start();
    await second.json(201, "POST", "/v1/scopes/s/bumps", { reason: "two" });
    assertEquals([await reader.line(), await writer.line()], ["2", "2"]);
  },
);

testWhere(
  "mount: a tracked file of a killed daemon blocks until nobody has it",
  missingMount(),
  async () => {
    using place = new MountedPlace();
    const program = compile("watcher");
    const first = await place.start();
    await first.json(201, "PUT", "/v1/scopes/s", {});
    using follower = Program.start(program, ["follow", place.sysgenid, "stay"]);
    assertEquals(await follower.line(), "tracked");
    const process = { pid: follower.pid, comm: "watcher" };
    const headers = { accept: "application/json" };
    const { items: events } = await (await first.fetch("/v1/events?limit=500", { headers })).json();
    const joined = events.find(({ kind }: { kind: string }) => kind === "watcher.joined");
    assertEquals(joined.data.process, process);
    await first.stop("SIGKILL");
    assert((await follower.line())?.startsWith("ended: "));
    await using second = await place.start();
    await second.json(201, "POST", "/v1/scopes/s/bumps", { reason: "two" });
    assertEquals(await late(second), [`watcher-${follower.pid}`]);
    const { watchers } = await second.json(409, "GET", "/v1/scopes/s/barrier?timeoutMs=1");
    assertEquals(watchers[0].process, process);
    const { items } = await second.json(200, "GET", "/v1/scopes/s/watchers");
    assertEquals([items[0].process, items[0].presence], [process, "held"]);
    // It still has the file of the dead mount open, and so has who it gave it to.
    await delay(1_500);
    assertEquals(await late(second), [`watcher-${follower.pid}`]);
    await follower.end();
    for (let tries = 0; tries < 100 && (await late(second)).length > 0; tries++) await delay(50);
    assertEquals(await late(second), []);
  },
);

testWhere("mount: only the daemon's user gets in without --mount-as", missingMount(), async () => {
  using place = new MountedPlace();
  await using daemon = await place.start();
  await daemon.json(201, "PUT", "/v1/scopes/s", {});
  assertEquals((await run("cat", [`${place.mount}/scopes/s/generation`])).lines, ["0"]);
  const other = await run("ls", [place.mount], { uid: 65534, gid: 65534 });
  assert(other.code !== 0, other.lines.join());
  const status = await daemon.json(200, "GET", "/v1/mount");
  assertEquals([status.mounted, status.folder, status.openFiles], [true, place.mount, 0]);
  assert(status.operations.lookup > 0);
  const metrics = await (await daemon.fetch("/metrics")).text();
  assert(/innkeeper_mount_requests\{operation="lookup"\} [1-9]/.test(metrics));
});

testWhere(
  "mount: a root below the mount is refused, and one above it works",
  missingMount(),
  async () => {
    using place = new MountedPlace();
    const below = `${place.mount}/scopes`;
    Deno.mkdirSync(below);
    const refused = await assertRejects(() => place.start("--root", `r=${below}`), Error);
    assert(refused.message.includes(`Cannot use ${below}: it is below --mount`), refused.message);
    Deno.removeSync(below);
    await using daemon = await place.start("--root", "r=/tmp");
    const path = `${place.mount.slice("/tmp/".length)}/scopes/system/sysgenid`;
    const opening = { root: "r", path, access: "ro", cache: "host", holder: "h" };
    const { code, detail } = await daemon.json(403, "POST", "/v1/inodes", opening);
    assertEquals([code, detail.includes("below the mount")], ["file-not-permitted", true]);
  },
);

testWhere(
  "mount: what a hostile map stored before a restart is seen by nobody after it either",
  missingMount(),
  async () => {
    using place = new MountedPlace();
    const program = compile("watcher");
    await using daemon = await place.start("--mount-as", "1001=watch");
    await daemon.json(201, "PUT", "/v1/scopes/s", {});
    const user = { uid: 1001, gid: 1001 };
    using hostile = Program.start(program, ["forge", place.sysgenid, "stay"], user);
    const ways = await hostile.linesUntil("done");
    assertEquals(ways.filter((way) => way.endsWith("yes")), [
      "open: yes",
      "map: yes",
      "read map: yes",
    ]);
    Deno.kill(daemonPid(daemon), "SIGKILL");
    await nextDaemon(daemon);
    using reader = Program.start(program, ["map", place.sysgenid]);
    using writer = Program.start(program, ["own", place.sysgenid]);
    assertEquals([await reader.line(), await writer.line()], ["0", "0"]);
    await daemon.json(201, "POST", "/v1/scopes/s/bumps", { reason: "one" });
    assertEquals([await reader.line(), await writer.line()], ["1", "1"]);
    assertEquals((await daemon.json(200, "GET", "/v1/mount")).ownPages, 2);
  },
);

/** Waits for the daemon that the launcher starts after the one with this number. */
async function nextDaemon(daemon: Daemon): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    await delay(25);
    const answer = await daemon.fetch("/v1/mount").catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
  }
  throw new Error(`no daemon came up again: ${daemon.log}`);
}

for (const way of ["killed", "told to restart"] as const) {
  testWhere(
    `mount: a daemon that is ${way} loses no open file, and a read that began before answers`,
    missingMount(),
    async () => {
      using place = new MountedPlace();
      const program = compile("watcher");
      await using daemon = await place.start();
      await daemon.json(201, "PUT", "/v1/scopes/s", {});
      const start = (mode: string): Program => Program.start(program, [mode, place.sysgenid]);
      using reader = start("map");
      using writer = start("own");
      using blocked = start("follow");
      using polling = start("poll");
      using untracked = start("poll-untracked");
      const all = [reader, writer, blocked, polling, untracked];
      assertEquals(await Promise.all(all.map((one) => one.line())), [
        ...["0", "0", "tracked", "polls", "polls"],
      ]);
      for (const generation of ["1", "2", "3"]) {
        // The launcher stays; the daemon is another one.
        if (way === "killed") Deno.kill(daemonPid(daemon), "SIGKILL");
        else Deno.kill(daemon.child.pid, "SIGUSR2");
        if (way === "told to restart") await ended(daemon);
        await nextDaemon(daemon);
        const { openFiles } = await daemon.json(200, "GET", "/v1/mount");
        assertEquals(openFiles, 3);
        await daemon.json(201, "POST", "/v1/scopes/s/bumps", { reason: generation });
        const lines = await Promise.all(
          [reader, writer, polling, untracked].map((one) => one.line()),
        );
        assertEquals(lines, [generation, generation, generation, generation]);
        const barrier = await daemon.fetch("/v1/scopes/s/barrier?timeoutMs=2000", {
          headers: { accept: "application/json" },
        });
        const { confirmed, left } = await barrier.json();
        const names = confirmed.map(({ name }: { name: string }) => name);
        const tracked = [blocked, polling].map(({ pid }) => `watcher-${pid}`);
        assertEquals([tracked.filter((name) => !names.includes(name)), left], [[], []]);
      }
      // What is closed after a restart is released.
      await blocked.end();
      await untracked.end();
      await polling.end();
      const watchers = async (): Promise<unknown[]> =>
        (await daemon.json(200, "GET", "/v1/scopes/s/watchers")).items;
      for (let tries = 0; tries < 100 && (await watchers()).length > 0; tries++) await delay(20);
      assertEquals(await watchers(), []);
      assertEquals(await daemon.stop(), 0);
      assertEquals((await run("ls", [place.mount])).lines, [""]);
    },
  );
}

/** Waits until the daemon that runs now has ended. */
async function ended(daemon: Daemon): Promise<void> {
  const pid = daemonPid(daemon);
  for (let tries = 0; tries < 400 && daemonPid(daemon) === pid; tries++) await delay(10);
}
