import { assert, assertEquals, assertRejects } from "@std/assert";
import type { NamePath } from "../../src/core/ports/shared_tree.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { Libc } from "../../src/native/libc.ts";
import { SharedFolder } from "../../src/native/shared_folder.ts";

const path = (...names: (string | Uint8Array)[]): NamePath =>
  names.map((name) => typeof name === "string" ? new TextEncoder().encode(name) : name);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function withShare(
  fn: (share: SharedFolder, folder: string) => Promise<void>,
): Promise<void> {
  const outer = await Deno.makeTempDir({ prefix: "innkeeper-share-" });
  await Deno.mkdir(`${outer}/inside/folder`, { recursive: true });
  await Deno.writeTextFile(`${outer}/secret`, "secret");
  await Deno.writeTextFile(`${outer}/inside/hello`, "hello world");
  await Deno.writeTextFile(`${outer}/inside/folder/deep`, "deep");
  const libc = Libc.open();
  const share = new SharedFolder(libc, `${outer}/inside`);
  try {
    await fn(share, `${outer}/inside`);
  } finally {
    share[Symbol.dispose]();
    libc[Symbol.dispose]();
    await Deno.remove(outer, { recursive: true });
  }
}

async function errno(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, SystemError)).errno;
}

async function readAll(share: SharedFolder, where: NamePath): Promise<string> {
  return text(await share.read(where, await share.node(where), 0n, 100));
}

Deno.test("SharedFolder lists, describes and reads what is in it", async () => {
  await withShare(async (share) => {
    const names = await share.names([]);
    assertEquals(names.map(({ name }) => text(name)), ["folder", "hello"]);
    assertEquals(names.map(({ type }) => type), [0o040000, 0o100000]);
    const node = await share.node(path("hello"));
    assertEquals([node.mode & 0o170000, node.sizeBytes], [0o100000, 11n]);
    assertEquals(text(await share.read(path("hello"), node, 6n, 100)), "world");
    assertEquals(text(await share.read(path("hello"), node, 99n, 100)), "");
    assertEquals(await readAll(share, path("folder", "deep")), "deep");
  });
});

Deno.test("SharedFolder takes names of any bytes", async () => {
  await withShare(async (share, folder) => {
    const name = Uint8Array.of(0xff, 0x0a, 0x20, 0xc3);
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `cd "$1" && printf odd >"$(printf '\\377\\n \\303')"`, "sh", folder],
    }).output();
    assert(success);
    const names = await share.names([]);
    assert(names.some((one) => one.name.toHex() === name.toHex()));
    assertEquals(await readAll(share, path(name)), "odd");
  });
});

Deno.test("SharedFolder follows no link and has no way out", async () => {
  await withShare(async (share, folder) => {
    await Deno.symlink("../secret", `${folder}/out`);
    await Deno.symlink("/", `${folder}/top`);
    await Deno.symlink("folder", `${folder}/within`);
    const link = await share.node(path("out"));
    assertEquals(link.mode & 0o170000, 0o120000);
    assertEquals(text(await share.link(path("out"))), "../secret");
    assertEquals(await errno(share.read(path("out"), link, 0n, 10)), "EINVAL");
    for (const where of [["top", "etc"], ["within", "deep"]]) {
      assertEquals(await errno(share.node(path(...where))), "ELOOP", where.join("/"));
    }
    // The server never asks for these; the kernel refuses them all the same.
    assertEquals(await errno(share.node(path("..", "secret"))), "EXDEV");
    assertEquals(await errno(share.node(path("..", "..", "etc"))), "EXDEV");
    assertEquals(await errno(share.names(path("top"))), "ENOTDIR");
  });
});

Deno.test("SharedFolder reads regular files only, and only the one that was found", async () => {
  await withShare(async (share, folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
    const fifo = await share.node(path("fifo"));
    assertEquals(await errno(share.read(path("fifo"), fifo, 0n, 10)), "EINVAL");
    assertEquals(await errno(share.read(path("folder"), fifo, 0n, 10)), "EISDIR");
    const before = await share.node(path("hello"));
    await Deno.writeTextFile(`${folder}/other`, "other");
    await Deno.rename(`${folder}/other`, `${folder}/hello`);
    assertEquals(await errno(share.read(path("hello"), before, 0n, 10)), "ESTALE");
    assertEquals(await errno(share.node(path("nothing"))), "ENOENT");
    assertEquals(await errno(share.node(path("hello", "below"))), "ENOTDIR");
    assertEquals(await errno(share.node(path("x".repeat(5000)))), "ENAMETOOLONG");
  });
});

Deno.test("SharedFolder leaves no file open", async () => {
  await withShare(async (share) => {
    const open = (): number => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = open();
    for (let round = 0; round < 50; round++) {
      await readAll(share, path("hello"));
      await share.names([]);
      await share.node(path("nothing")).catch(() => {});
    }
    assertEquals(open(), before);
  });
});
