import { assert, assertEquals, assertRejects } from "@std/assert";
import type { BackingFile } from "../../src/core/ports/backing_file.ts";
import type { RootFolder } from "../../src/core/ports/root_folder.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { HostRoot } from "../../src/native/host_root.ts";
import { Libc } from "../../src/native/libc.ts";
import { pattern } from "../support/inode_store.ts";
import { MemoryRoot } from "../support/memory_files.ts";

interface Subject extends Disposable {
  readonly root: RootFolder;
  /** What another program does: replaces the content, or the file by another one. */
  change(path: string, bytes: Uint8Array<ArrayBuffer>): void;
  supplant(path: string): void;
}

const subjects: Record<string, () => Subject> = {
  "a fake in memory": () => {
    const root = new MemoryRoot();
    return {
      root,
      change: (path, bytes) => root.nodes.get(path)?.setContent(bytes),
      supplant: (path) => {
        const node = root.nodes.get(path);
        if (node !== undefined) node.isNamed = false;
      },
      [Symbol.dispose]() {},
    };
  },
  "a file of the host": () => {
    const folder = Deno.makeTempDirSync();
    const libc = Libc.open();
    const root = new HostRoot(libc, folder);
    return {
      root,
      change: (path, bytes) => Deno.writeFileSync(`${folder}/${path}`, bytes),
      supplant: (path) => {
        Deno.writeTextFileSync(`${folder}/other`, "");
        Deno.renameSync(`${folder}/other`, `${folder}/${path}`);
      },
      [Symbol.dispose]() {
        root[Symbol.dispose]();
        libc[Symbol.dispose]();
        Deno.removeSync(folder, { recursive: true });
      },
    };
  },
};

async function open(root: RootFolder, path = "f"): Promise<BackingFile> {
  const { file } = await root.open({
    path,
    access: "rw",
    create: "if-missing",
    permissions: 0o600,
  });
  return file;
}

async function contentOf(file: BackingFile): Promise<Uint8Array> {
  const into = new Uint8Array(Number(file.attributes().sizeBytes) + 10);
  let done = 0;
  for (;;) {
    const read = await file.read(into.subarray(done), BigInt(done));
    if (read === 0) return into.subarray(0, done);
    done += read;
  }
}

for (const [name, make] of Object.entries(subjects)) {
  Deno.test(`RootFolder.open() makes, finds and refuses files: ${name}`, async () => {
    using subject = make();
    const request = { path: "f", access: "rw", permissions: 0o600 } as const;
    const errnoOf = async (create: "never" | "exclusive") =>
      (await assertRejects(() => subject.root.open({ ...request, create }), SystemError)).errno;
    assertEquals(await errnoOf("never"), "ENOENT");
    const first = await subject.root.open({ ...request, create: "exclusive" });
    assertEquals(first.created, true);
    assertEquals(await errnoOf("exclusive"), "EEXIST");
    const second = await subject.root.open({ ...request, create: "if-missing" });
    assertEquals(second.created, false);
    assertEquals(second.file.attributes().inode, first.file.attributes().inode);
    await first.file.close();
    await second.file.close();
  });

  Deno.test(`BackingFile reads what it wrote, and zeros where it did not: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    const bytes = pattern(5000);
    assertEquals(await file.write(bytes, 3000n), bytes.byteLength);
    const wanted = new Uint8Array(8000);
    wanted.set(bytes, 3000);
    assertEquals(await contentOf(file), wanted);
    assertEquals(file.attributes().sizeBytes, 8000n);
    assertEquals(await file.read(new Uint8Array(10), 8000n), 0);
    assertEquals(await file.read(new Uint8Array(10), 1n << 40n), 0);
    await file.close();
  });

  Deno.test(`BackingFile.readNonblocking() tells the same as read(), or that it would wait: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    const bytes = pattern(5000);
    await file.write(bytes, 0n);
    const into = new Uint8Array(100);
    const read = file.readNonblocking(into, 4950n);
    assert(read === undefined || read === 50);
    if (read === 50) assertEquals(into.subarray(0, 50), bytes.subarray(4950));
    const past = file.readNonblocking(into, 6000n);
    assert(past === undefined || past === 0);
    await file.close();
  });

  Deno.test(`BackingFile.truncate() cuts, and fills up with zeros: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    await file.write(pattern(5000), 0n);
    await file.truncate(1000n);
    await file.truncate(2000n);
    const wanted = new Uint8Array(2000);
    wanted.set(pattern(1000));
    assertEquals(await contentOf(file), wanted);
    await file.sync();
    await file.close();
  });

  Deno.test(`BackingFile.look() sees changes from outside, and another file in its place: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    const before = await file.look();
    assertEquals(before.named, true);
    subject.change("f", pattern(77));
    const changed = await file.look();
    assertEquals(changed.attributes.sizeBytes, 77n);
    assert(changed.attributes.modificationTimeNs !== before.attributes.modificationTimeNs);
    assertEquals(changed.named, true);
    subject.supplant("f");
    assertEquals((await file.look()).named, false);
    await file.close();
  });
}

for (const [name, make] of Object.entries(subjects)) {
  Deno.test(`BackingFile.change() sets what is named and leaves the rest: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    await file.change({ permissions: 0o640, modificationTimeNs: 1_500_000_007n });
    await file.change({ accessTimeNs: -1_500_000_007n });
    await file.change({});
    const { permissions, accessTimeNs, modificationTimeNs } = file.attributes();
    assertEquals([permissions, accessTimeNs, modificationTimeNs], [
      0o640,
      -1_500_000_007n,
      1_500_000_007n,
    ]);
    await file.close();
  });

  Deno.test(`BackingFile.allocate() makes the file so long at least, of zeros: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    await file.write(pattern(10), 0n);
    await file.allocate(5n, 100n);
    await file.allocate(0n, 7n);
    const wanted = new Uint8Array(105);
    wanted.set(pattern(10));
    assertEquals(await contentOf(file), wanted);
    await file.close();
  });

  Deno.test(`BackingFile.link() and unlink() give names and take them: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    const errnoOf = async (call: Promise<void>) =>
      (await assertRejects(() => call, SystemError)).errno;
    await file.link("g");
    assertEquals(file.attributes().links, 2);
    assertEquals(await errnoOf(file.link("g")), "EEXIST");
    const other = await open(subject.root, "other");
    assertEquals(await errnoOf(file.unlink("other")), "ESTALE");
    assertEquals(await errnoOf(file.unlink("none")), "ENOENT");
    await file.unlink("f");
    await file.unlink("g");
    assertEquals(file.attributes().links, 0);
    assertEquals((await file.look()).named, false);
    await other.close();
    await file.close();
  });

  Deno.test(`BackingFile.reopen() goes over to what its path leads to, if that is accepted: ${name}`, async () => {
    using subject = make();
    const file = await open(subject.root);
    await file.write(pattern(10), 0n);
    await file.unlink("f");
    const next = await open(subject.root);
    await next.write(pattern(20, 3), 0n);
    const refusal = new Error("no");
    await assertRejects(
      () =>
        file.reopen(() => {
          throw refusal;
        }),
      Error,
      "no",
    );
    assertEquals(await contentOf(file), pattern(10));
    await file.reopen(() => {});
    assertEquals(await contentOf(file), pattern(20, 3));
    assertEquals((await file.look()).named, true);
    await next.close();
    await file.close();
  });
}

Deno.test("HostFile.look() finds a file that was renamed, and not one that has no name any more", async () => {
  using subject = (subjects["a file of the host"] as () => Subject)();
  const { root } = subject;
  const { folder } = root as HostRoot;
  const file = await open(root);
  await Deno.rename(`${folder}/f`, `${folder}/g`);
  assertEquals((await file.look()).named, true);
  await Deno.mkdir(`${folder}/f`);
  assertEquals((await file.look()).named, false);
  await Deno.remove(`${folder}/f`);
  await Deno.remove(`${folder}/g`);
  assertEquals((await file.look()).named, false);
  await file.close();
});
