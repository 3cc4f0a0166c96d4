import { assertEquals } from "@std/assert";
import { Libc } from "../../src/native/libc.ts";
import { sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { vmclockBytes } from "../../src/generations/vmclock_page.ts";
import { PageFiles } from "../../src/storage/page_files.ts";
import { MappedPage } from "../support/mapped_page.ts";
import { testWhere } from "../support/skip.ts";

const libc = Libc.open();

/** Closed pages of a scope, on a disk or on tmpfs. */
function pagesOf(dir: string | undefined, scope = "vm-7"): PageFiles {
  const folder = Deno.makeTempDirSync(dir === undefined ? {} : { dir });
  const pages = new PageFiles(libc, `${folder}/pages`, "all");
  pages.open(scope, "sysgenid", sysgenidBytes(1)).page.close();
  pages.open(scope, "vmclock", vmclockBytes(1n)).page.close();
  return pages;
}

const namesIn = (folder: string): string[] =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

const openFiles = (): number => [...Deno.readDirSync("/proc/self/fd")].length;

for (const [where, dir] of [["a disk", undefined], ["tmpfs", "/dev/shm"]] as const) {
  Deno.test(`PageFiles.reclaim() on ${where} removes pages once nobody has one open or mapped`, async () => {
    const pages = pagesOf(dir);
    const path = `${pages.folder}/vm-7/vmclock`;
    const before = openFiles();
    const mapped = new MappedPage(path);
    assertEquals(await pages.reclaim(["vm-7"]), []);
    mapped[Symbol.dispose]();
    const open = Deno.openSync(path);
    assertEquals(await pages.reclaim(["vm-7"]), []);
    open.close();
    assertEquals(namesIn(`${pages.folder}/vm-7`), ["sysgenid", "vmclock"]);
    assertEquals(await pages.reclaim(["vm-7", "never-was"]), ["vm-7", "never-was"]);
    assertEquals(namesIn(pages.folder), []);
    assertEquals(openFiles(), before);
    Deno.removeSync(pages.folder.replace(/\/pages$/, ""), { recursive: true });
  });
}

Deno.test("PageFiles.reclaim() leaves a page to whoever opens it meanwhile", async () => {
  const pages = pagesOf(undefined);
  const path = `${pages.folder}/vm-7/sysgenid`;
  const inode = Deno.statSync(path).ino;
  const reclaiming = pages.reclaim(["vm-7"]);
  // It waits at the lease of the file that is hidden by now, as one that found its name before.
  const opener = new Deno.Command("cat", { args: [`${pages.folder}/vm-7/.gone.sysgenid`] })
    .output();
  assertEquals(await reclaiming, []);
  assertEquals((await opener).stdout.byteLength, 4096);
  assertEquals(namesIn(`${pages.folder}/vm-7`), ["sysgenid", "vmclock"]);
  assertEquals(Deno.statSync(path).ino, inode);
});

const unshare = ((): string | undefined => {
  const { success } = new Deno.Command("unshare", { args: ["-m", "true"], stderr: "null" })
    .outputSync();
  return success ? undefined : "mount namespaces cannot be made";
})();

testWhere(
  "PageFiles.reclaim() leaves what a mount shows, in whatever namespace, though nobody has it open",
  unshare,
  async () => {
    for (const shown of ["sysgenid", "vmclock", ""]) {
      const pages = pagesOf(undefined);
      const from = `${pages.folder}/vm-7${shown && `/${shown}`}`;
      const at = `${pages.folder}/at`;
      if (shown === "") Deno.mkdirSync(at);
      else Deno.writeFileSync(at, new Uint8Array());
      const other = new Deno.Command("unshare", {
        args: ["-m", "sh", "-c", `mount --bind -o ro ${from} ${at} && echo there && cat`],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const output = other.stdout.pipeThrough(new TextDecoderStream()).getReader();
      assertEquals((await output.read()).value, "there\n");
      assertEquals(await pages.reclaim(["vm-7"]), [], shown);
      await other.stdin.close();
      await output.cancel();
      await other.status;
      assertEquals(await pages.reclaim(["vm-7"]), ["vm-7"], shown);
    }
  },
);

const overlay = ((): string | undefined => {
  if (unshare !== undefined) return unshare;
  const dir = Deno.makeTempDirSync();
  for (const name of ["l", "u", "w", "m"]) Deno.mkdirSync(`${dir}/${name}`);
  const options = `lowerdir=${dir}/l,upperdir=${dir}/u,workdir=${dir}/w`;
  const mount = `mount -t overlay overlay -o ${options} ${dir}/m`;
  const { success } = new Deno.Command("unshare", {
    args: ["-m", "sh", "-c", mount],
    stderr: "null",
  }).outputSync();
  Deno.removeSync(dir, { recursive: true });
  return success ? undefined : "overlays cannot be mounted";
})();

testWhere(
  "PageFiles.reclaim() removes nothing where leases do not tell of mappings, as on an overlay",
  overlay,
  async () => {
    const dir = Deno.makeTempDirSync();
    for (const name of ["l", "u", "w", "m"]) Deno.mkdirSync(`${dir}/${name}`);
    const options = `lowerdir=${dir}/l,upperdir=${dir}/u,workdir=${dir}/w`;
    const mounted = new Deno.Command("mount", {
      args: ["-t", "overlay", "overlay", "-o", options, `${dir}/m`],
    }).outputSync();
    assertEquals(mounted.success, true);
    try {
      const pages = pagesOf(`${dir}/m`);
      assertEquals(await pages.reclaim(["vm-7"]), []);
      assertEquals(namesIn(`${pages.folder}/vm-7`), ["sysgenid", "vmclock"]);
    } finally {
      new Deno.Command("umount", { args: [`${dir}/m`] }).outputSync();
    }
  },
);
