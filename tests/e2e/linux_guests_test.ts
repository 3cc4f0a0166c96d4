import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { MIB, PAGE_BYTES } from "../../src/core/limits.ts";
import { Daemon } from "../support/daemon.ts";
import { buildPageProgram, QUICK, reseedFiles } from "../../examples/demo/debian_guest.ts";
import { ConsoleClient, missingLinux, writeLinuxImages } from "../support/linux_guest.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

interface LinuxHost extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly images: string;
  inode(path: string, access?: "ro" | "rw"): Promise<string>;
}

async function linuxHost(): Promise<LinuxHost> {
  const images = await Deno.makeTempDir({ prefix: "innkeeper-linux-" });
  await writeLinuxImages(images, page === undefined ? [] : reseedFiles(page), "elf");
  const disk = new Uint8Array(DISK_BYTES);
  disk.set(new TextEncoder().encode(DISK_TEXT));
  await Deno.writeFile(`${images}/disk.img`, disk);
  const daemon = await Daemon.start({ args: ["--root", `images=${images}`] });
  return {
    daemon,
    images,
    async inode(path, access = "ro") {
      const json = { root: "images", path, access, cache: "own", holder: "test" };
      return (await daemon.json(201, "POST", "/v1/inodes", json)).id;
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await Deno.remove(daemon.folder, { recursive: true });
      await Deno.remove(images, { recursive: true });
    },
  };
}

async function owned(
  daemon: Daemon,
  { id, ownerToken }: { id: string; ownerToken: string },
  method: string,
  what: string,
  body?: unknown,
  // deno-lint-ignore no-explicit-any -- tests read members as they come and assert on each
): Promise<any> {
  const response = await daemon.fetch(`/v1/guests/${id}/${what}`, {
    method,
    headers: { "innkeeper-owner": ownerToken, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  assert(response.ok, `${method} ${what}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

const page = await buildPageProgram();
const DISK_TEXT = "a disk that many share";
const DISK_BYTES = 1024 * 1024;
/** Reads the beginning of the disk, or of the part that guests write to. */
const DISK_HEAD = "dd if=/dev/sda bs=512 count=1 2>/dev/null | head -c 22";
const WRITTEN = "dd if=/dev/sda bs=512 skip=64 count=1 2>/dev/null | tr -d '\\0'";
const write = (text: string): string =>
  `echo ${text} | dd of=/dev/sda bs=512 seek=64 conv=notrunc,sync,fsync 2>/dev/null`;
const ANSWER_MS = 60_000;
const UUID = "cat /proc/sys/kernel/random/uuid";

const missing = missingLinux() ??
  (page === undefined ? "no C compiler for 32-bit x86" : undefined);

testWhere("a Linux guest, from its kernel to its clones", missing, async (t) => {
  await using host = await linuxHost();
  const { daemon } = host;
  const kernel = await host.inode("kernel");
  const initrd = await host.inode("initrd");
  const disk = await host.inode("disk.img");
  const share = { root: "images" };
  const made = await daemon.json(201, "POST", "/v1/guests", {
    name: "debian",
    linux: {
      memoryMiB: 128,
      kernel,
      initrd,
      commandLine: QUICK,
      disks: [{ inode: disk }, { inode: disk, readOnly: true }],
      share,
    },
  });
  assertEquals([made.kind, made.state, made.memoryBytes], ["linux", "ready", "134217728"]);
  const console = await ConsoleClient.open(daemon, "debian");
  await owned(daemon, made, "PUT", "state", { state: "running" });
  await console.prompt();
  const snapshots: string[] = [];

  await t.step("answers on its console", async () => {
    assertStringIncludes(await console.shell("cat /proc/version"), "Debian");
    assertStringIncludes(await console.shell("mount"), "proc on /proc type proc");
  });

  await t.step("shows its generation in the reserved page", async () => {
    const page = await console.shell(
      "dd if=/dev/mem bs=4096 skip=159 count=1 2>/dev/null | head -c 8",
    );
    assertEquals(page, "INNKEEP1");
  });

  await t.step("gives the tail of its console over HTTP, from an offset on", async () => {
    const response = await daemon.fetch("/v1/guests/debian/console?since=0");
    const text = await response.text();
    assertStringIncludes(text, "init: ready");
    const end = Number(response.headers.get("innkeeper-console-end"));
    assertEquals(response.headers.get("innkeeper-console-start"), "0");
    const waiting = daemon.fetch(`/v1/guests/debian/console?since=${end}`, {
      headers: { prefer: "wait=30" },
    });
    await console.shell("echo more");
    assert((await (await waiting).text()).length > 0);
  });

  await t.step("refuses what only a bare guest has", async () => {
    const refused = await daemon.json(422, "POST", "/v1/guests/debian/interrupts", { line: 1 });
    assertEquals(refused.code, "wrong-guest-kind");
    const attached = await daemon.json(422, "PUT", "/v1/guests/debian/channels/7");
    assertEquals(attached.code, "wrong-guest-kind");
  });

  await t.step("reads its disk through the cache and writes into an overlay", async () => {
    assertEquals(await console.shell(DISK_HEAD), DISK_TEXT);
    await console.shell(write("original"));
    await console.shell("sync; echo 3 >/proc/sys/vm/drop_caches");
    assertEquals(await console.shell(WRITTEN), "original");
    assertEquals(await console.shell(DISK_HEAD.replace("sda", "sdb")), DISK_TEXT);
    assertEquals(await console.shell(WRITTEN.replace("sda", "sdb")), "");
    const failed = await console.shell(`${write("nothing").replace("sda", "sdb")}; echo status=$?`);
    assertStringIncludes(failed, "status=1");
    assertEquals(await console.shell(WRITTEN.replace("sda", "sdb")), "");
    // The overlay is there, and not for whoever may read inodes.
    const { items } = await daemon.json(200, "GET", "/v1/inodes");
    const { inodes } = await daemon.json(200, "GET", "/v1/inodes/stats");
    assertEquals([items.length, inodes], [3, 4]);
    const response = await daemon.fetch("/v1/events?after=0", {
      headers: { accept: "application/json" },
    });
    const { items: events } = await response.json();
    const overlay = events.find(({ kind, data }: { kind: string; data: { root?: string } }) =>
      kind === "inode.opened" && data.root === ":overlays"
    ).subject;
    await daemon.json(404, "GET", `/v1/inodes/${overlay}`);
    const synced = events.filter(({ kind }: { kind: string }) =>
      kind === "inode.synced"
    );
    assert(synced.some(({ subject }: { subject: string }) => subject === overlay));
    const bytes = await Deno.readFile(`${host.images}/disk.img`);
    assertEquals(bytes.subarray(DISK_TEXT.length).findIndex((byte) => byte !== 0), -1);
  });

  await t.step("sees a root over 9p, read-only, and its identity beside it", async () => {
    await new Deno.Command("sh", {
      args: ["-c", 'printf odd >"$(printf "%s/odd-\\377" "$1")"', "sh", host.images],
    }).output();
    await Deno.symlink("/etc/passwd", `${host.images}/leads-out`);
    await Deno.mkdir(`${host.images}/folder`);
    await Deno.writeTextFile(`${host.images}/folder/hello`, "hello from the host");
    const mount = "mount -t 9p -o trans=virtio,version=9p2000.L,ro";
    await console.shell(`mkdir -p /share; ${mount} host9p /share`);
    assertEquals(
      await console.shell("ls -1 /share"),
      "disk.img\nfolder\ninitrd\nkernel\nleads-out\nodd-?",
    );
    assertEquals(await console.shell("cat /share/odd-*"), "odd");
    assertEquals(await console.shell("cat /share/folder/hello"), "hello from the host");
    assertEquals(await console.shell("readlink /share/leads-out"), "/etc/passwd");
    assertEquals(await console.shell("cat /share/leads-out 2>&1 | wc -l"), "1");
    const sum = (await console.shell("sha256sum /share/initrd")).split(" ")[0];
    const initrdBytes = await Deno.readFile(`${host.images}/initrd`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", initrdBytes));
    assertEquals(sum, digest.toHex());
    assertStringIncludes(await console.shell("touch /share/new 2>&1"), "Read-only");
    const { generation } = await daemon.json(200, "GET", "/v1/guests/debian");
    assertEquals(
      await console.shell("head -n 1 /share/.innkeeper/identity"),
      `generation=${generation}`,
    );
  });

  await t.step("is snapshotted while its reseeder waits", async () => {
    const { tracked, outdated } = await daemon.json(200, "GET", "/v1/scopes/debian");
    assertEquals([tracked, outdated], [1, 0]);
    await owned(daemon, made, "PUT", "state", { state: "paused" });
    snapshots.push((await owned(daemon, made, "POST", "snapshots")).id);
    await owned(daemon, made, "PUT", "state", { state: "running" });
    assertEquals(await console.shell("echo still here"), "still here");
  });

  await t.step("has clones that reseed, and a barrier that waits for them all", async () => {
    const [id = ""] = snapshots;
    const barrier = (wait: number) =>
      daemon.fetch("/v1/scopes/clones/barrier", { headers: { prefer: `wait=${wait}` } });
    const names = ["one", "two", "three"];
    const clones = [];
    for (const name of names) {
      clones.push(
        await daemon.json(201, "POST", "/v1/guests", { name, scope: "clones", snapshot: id }),
      );
    }
    const closed = await barrier(0);
    const late = (await closed.json()).watchers.map(({ name }: { name: string }) => name).sort();
    assertEquals([closed.status, late], [409, ["one.reseed", "three.reseed", "two.reseed"]]);
    for (const clone of clones.slice(0, 2)) {
      await owned(daemon, clone, "PUT", "state", { state: "running" });
    }
    let left = clones.length;
    for (let waitedMs = 0; left > 1 && waitedMs < ANSWER_MS; waitedMs += 50) {
      left = (await daemon.json(200, "GET", "/v1/scopes/clones")).outdated;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const still = await barrier(0);
    const last = (await still.json()).watchers.map(({ name }: { name: string }) => name);
    assertEquals([still.status, last], [409, ["three.reseed"]]);
    await owned(daemon, clones[2], "PUT", "state", { state: "running" });
    const opened = await barrier(60);
    assertEquals(opened.status, 204, await opened.text());

    const uuids = new Set<string>();
    for (const name of names) {
      const { generation } = await daemon.json(200, "GET", `/v1/guests/${name}`);
      const clone = await ConsoleClient.fromNow(daemon, name);
      uuids.add(await clone.shell(UUID));
      assertEquals(await clone.shell("innkeeper-page | head -n 1"), `generation=${generation}`);
      assertEquals(
        await clone.shell("head -n 1 /share/.innkeeper/identity"),
        `generation=${generation}`,
      );
      assertEquals(await clone.shell("cat /share/folder/hello"), "hello from the host");
      assertEquals(await clone.shell(WRITTEN), "original");
      await clone.shell(write(name));
      assertEquals(await clone.shell(WRITTEN), name);
      await clone.close();
    }
    assertEquals(uuids.size, 3);
    await console.shell("echo 3 >/proc/sys/vm/drop_caches");
    assertEquals(await console.shell(WRITTEN), "original");
  });

  await t.step(
    "has a clone whose failing hook keeps the barrier closed, with its reason",
    async () => {
      const clone = await ConsoleClient.fromNow(daemon, "one");
      const hook = "/etc/innkeeper/reseed.d/20-application";
      await clone.shell(`printf '#!/bin/sh\nexit 7\n' >${hook}; chmod +x ${hook}`);
      await daemon.json(201, "POST", "/v1/scopes/clones/bumps", { reason: "restore" });
      const response = await daemon.fetch("/v1/scopes/clones/barrier", {
        headers: { prefer: "wait=60" },
      });
      const text = await response.text();
      assertEquals(response.status, 409, text);
      assertStringIncludes(text, "20-application ended with 7");
      await clone.shell(`rm ${hook}`);
      await daemon.json(201, "POST", "/v1/scopes/clones/bumps", { reason: "again" });
      const again = await daemon.fetch("/v1/scopes/clones/barrier", {
        headers: { prefer: "wait=60" },
      });
      assertEquals(again.status, 204, await again.text());
      await clone.close();
    },
  );

  await t.step("has a clone that dies and is named as lost", async () => {
    const two = await ConsoleClient.fromNow(daemon, "two");
    two.send("reboot -f\n");
    assertEquals(await two.closed, 4410);
    const { state, deathReason } = await daemon.json(200, "GET", "/v1/guests/two");
    assertEquals([state, deathReason], ["dead", "reboot"]);
    await daemon.json(201, "POST", "/v1/scopes/clones/bumps", { reason: "restore" });
    const response = await daemon.fetch("/v1/scopes/clones/barrier", {
      headers: { prefer: "wait=60" },
    });
    const problem = await response.json();
    assertEquals([response.status, problem.code], [409, "watchers-lost"], JSON.stringify(problem));
    assertEquals(problem.watchers.map(({ name }: { name: string }) => name), ["two.reseed"]);
    for (const name of ["one", "two", "three"]) {
      await daemon.json(204, "DELETE", `/v1/guests/${name}`);
    }
    await daemon.json(404, "GET", "/v1/scopes/clones");
  });

  await t.step("has clones that leave no memory behind", async () => {
    const rss = (): number =>
      Number(Deno.readTextFileSync(`/proc/${daemon.child.pid}/statm`).split(" ")[1]) * PAGE_BYTES;
    const round = async (name: string): Promise<void> => {
      const clone = await daemon.json(201, "POST", "/v1/guests", { name, snapshot: snapshots[0] });
      await owned(daemon, clone, "PUT", "state", { state: "running" });
      const console = await ConsoleClient.fromNow(daemon, name);
      await console.shell("true");
      await daemon.json(204, "DELETE", `/v1/guests/${name}`);
      assertEquals(await console.closed, 4410);
    };
    for (let warm = 0; warm < 2; warm++) await round(`warm-${warm}`);
    const before = rss();
    for (let index = 0; index < 6; index++) await round(`round-${index}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // One that stayed would be more than half of this, each round.
    const grown = rss() - before;
    assert(grown < 192 * MIB, `${grown} bytes more`);
    assertEquals((await daemon.json(200, "GET", "/v1/guests")).items.length, 1);
  });

  await t.step("is a terminal on the command line, which ^] leaves", async () => {
    const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
    const command = [Deno.execPath(), "run", "-A", main, "guests", "console", "debian"].join(" ");
    const play = async (program: string, args: string[]): Promise<void> => {
      const child = new Deno.Command(program, {
        args,
        cwd: new URL("../..", import.meta.url),
        env: { INNKEEPER_SOCKET: daemon.socketPath },
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let seen = "";
      const until = async (text: string): Promise<void> => {
        while (!seen.includes(text)) {
          const { value, done } = await deadline(reader.read(), ANSWER_MS);
          assert(!done, `no ${text}: ${seen}`);
          seen += value;
        }
      };
      // The tail of the console comes first: then it listens.
      await until("init: ready");
      await writer.write(new TextEncoder().encode(`echo $((6*7))-${program}\r`));
      await until(`42-${program}`);
      await writer.write(Uint8Array.of(0x1d));
      const { code } = await child.status;
      await writer.close().catch(() => {});
      await reader.cancel();
      assertEquals(code, 0, seen);
    };
    await play("sh", ["-c", command]);
    if (missingProgram("script") === undefined) {
      await play("script", ["-qec", command, "/dev/null"]);
    }
  });

  await t.step(
    "is not held up by a client that does not read, which is told what it missed",
    async () => {
      const slow = await Deno.connect({ transport: "unix", path: daemon.socketPath });
      const upgrade = [
        "GET /v1/guests/debian/console HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: innkeeper.console.v1",
      ];
      await slow.write(new TextEncoder().encode(`${upgrade.join("\r\n")}\r\n\r\n`));
      const reader = await ConsoleClient.fromNow(daemon, "debian");
      reader.send(
        "yes 0123456789012345678901234567890123456789 | head -n 20000; echo flood=over\n",
      );
      await reader.until("flood=over\r\n", 120_000);
      await reader.close();
      assertEquals(await console.shell("echo still here"), "still here");
      // It finds either where its bytes end and go on, or that it was given up.
      let seen = "";
      const bytes = slow.readable.getReader();
      while (!/"type":"gap"|does not read/.test(seen)) {
        const { value, done } = await deadline(bytes.read(), ANSWER_MS);
        if (done) break;
        seen = seen.slice(-64) + new TextDecoder("latin1").decode(value);
      }
      await bytes.cancel();
      assert(/"type":"gap"|does not read/.test(seen), "the client was told nothing");
    },
  );

  await t.step("is dead with a reason once it is powered off", async () => {
    console.send("poweroff -f\n");
    assertEquals(await console.closed, 4410);
    assertStringIncludes(console.text, "System halted");
    const { state, deathReason } = await daemon.json(200, "GET", "/v1/guests/debian");
    assertEquals([state, deathReason], ["dead", "powered off"]);
    const tail = await (await daemon.fetch("/v1/guests/debian/console")).text();
    assertStringIncludes(tail, "System halted");
  });
});
