import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Daemon } from "../support/daemon.ts";
import { ConsoleClient, missingLinux, QUICK, writeLinuxImages } from "../support/linux_guest.ts";
import { testWhere } from "../support/skip.ts";

interface House extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly images: string;
  inode(path: string, access?: "ro" | "rw"): Promise<string>;
}

async function house(): Promise<House> {
  const images = await Deno.makeTempDir({ prefix: "innkeeper-linux-" });
  await writeLinuxImages(images);
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

testWhere("a Linux guest, from its kernel to its clones", missingLinux(), async (t) => {
  await using inn = await house();
  const { daemon } = inn;
  const kernel = await inn.inode("vmlinuz");
  const initrd = await inn.inode("initrd");
  const made = await daemon.json(201, "POST", "/v1/guests", {
    name: "debian",
    linux: { memoryMiB: 128, kernel, initrd, commandLine: QUICK },
  });
  assertEquals([made.kind, made.state, made.memoryBytes], ["linux", "ready", "134217728"]);
  const console = await ConsoleClient.open(daemon, "debian");
  await owned(daemon, made, "PUT", "state", { state: "running" });
  await console.prompt();

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
