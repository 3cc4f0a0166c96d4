import { assertEquals, assertGreater } from "@std/assert";
import { DeviceResolver } from "../../src/devices/resolve/resolve.ts";
import { NativeHostTree } from "../../src/native/host_tree.ts";
import { Libc } from "../../src/native/libc.ts";
import { FolderBuilder } from "../support/host_tree.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(`${command} ${args}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

const noSysfs = new Deno.Command("test", { args: ["-d", "/sys/dev/char"] }).outputSync().success
  ? undefined
  : "there is no /sys/dev";

const noUdevadm = missingProgram("udevadm");

testWhere(
  "DeviceResolver on NativeHostTree names every node of the real /sys/dev as the kernel does",
  noSysfs,
  async () => {
    using libc = Libc.open();
    using hostTree = new NativeHostTree(libc);
    const resolver = new DeviceResolver({ hostTree });
    let seen = 0;
    for (const [folder, type] of [["block", "b"], ["char", "c"]] as const) {
      const listed = (await run("ls", "-1", `/sys/dev/${folder}`)).split("\n").filter(Boolean);
      assertEquals([...await hostTree.list(`/sys/dev/${folder}`)].sort(), listed.sort());
      for (const number of listed) {
        const path = `/sys/dev/${folder}/${number}`;
        const [major = "", minor = ""] = number.split(":");
        const uevent = await run("cat", `${path}/uevent`);
        const name = /^DEVNAME=(.*)$/m.exec(uevent)?.[1];
        const resolved = await resolver.resolve({
          containerPath: "/dev/elsewhere",
          type,
          major: BigInt(major),
          minor: BigInt(minor),
        });
        assertEquals(resolved.hostPath, `/dev/${name}`, path);
        assertEquals(resolved.evidence[0], `${path}/uevent`);
        assertEquals(`${await hostTree.readLink(path)}\n`, await run("readlink", path), path);
        assertEquals(/^MAJOR=(.*)\nMINOR=(.*)$/m.exec(uevent)?.slice(1), [major, minor], path);
        const target = (await run("readlink", "-f", path)).trim();
        const byTarget = await run("cat", `${target}/uevent`);
        assertEquals(byTarget, uevent, `${path} and ${target} are the same device`);
        if (noUdevadm === undefined) {
          const known = await run("udevadm", "info", "--query=property", `--path=${path}`);
          assertEquals(/^DEVNAME=(.*)$/m.exec(known)?.[1], resolved.hostPath, path);
        }
        seen++;
      }
    }
    assertGreater(seen, 0);
  },
);

/** Whether this machine lets us make a loop device, and its path. */
async function loopDevice(image: string): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command("losetup", {
    args: ["--find", "--show", image],
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}

const noLoop = missingProgram("losetup") ??
  (new Deno.Command("test", { args: ["-w", "/dev/loop-control"] }).outputSync().success
    ? undefined
    : "/dev/loop-control cannot be written");

testWhere(
  "DeviceResolver on NativeHostTree finds the file behind a real loop device",
  noLoop,
  async (t) => {
    const image = await Deno.makeTempFile({ prefix: "innkeeper loop " });
    await Deno.truncate(image, 1024 * 1024);
    const path = await loopDevice(image);
    if (path === undefined) {
      await t.step({ name: "the kernel gave no loop device", ignore: true, fn: () => {} });
      return;
    }
    try {
      const [major = "", minor = ""] = (await run("stat", "-c", "%Hr %Lr", path)).trim().split(" ");
      using libc = Libc.open();
      using hostTree = new NativeHostTree(libc);
      const resolver = new DeviceResolver({ hostTree });
      const info = {
        containerPath: "/dev/mine",
        type: "b",
        major: BigInt(major),
        minor: BigInt(minor),
      } as const;
      assertEquals(await resolver.resolve(info), {
        driver: "block",
        hostPath: path,
        backingFile: image,
        evidence: [`/sys/dev/block/${major}:${minor}/uevent`]
          .concat(`/sys/dev/block/${major}:${minor}/loop/backing_file`),
      });
      assertEquals(await resolver.driveFile(info, path), {
        isDevice: true,
        sizeBytes: 1024n * 1024n,
      });
    } finally {
      await run("losetup", "-d", path);
    }
  },
);

testWhere("NativeHostTree.stat() gives the numbers of the real device files", noSysfs, async () => {
  using libc = Libc.open();
  using hostTree = new NativeHostTree(libc);
  for (const path of ["/dev/null", "/dev/zero", "/dev/tty"]) {
    const [major, minor, kind] = (await run("stat", "-c", "%Hr %Lr %F", path)).trim().split(" ");
    assertEquals(await hostTree.stat(path), {
      kind: kind === "character" ? "char" : "other",
      rdevMajor: Number(major),
      rdevMinor: Number(minor),
      sizeBytes: 0n,
    }, path);
  }
});

Deno.test("DeviceResolver on NativeHostTree finds devices below another root", async () => {
  await using builder = await FolderBuilder.create();
  await builder.file("/sys/devices/virtual/block/loop7/uevent", "DEVNAME=loop7\n");
  await builder.file("/sys/devices/virtual/block/loop7/loop/backing_file", "/srv/disk.img\n");
  await builder.link("/sys/dev/block/7:7", "../../devices/virtual/block/loop7");
  using libc = Libc.open();
  using hostTree = new NativeHostTree(libc, builder.folder);
  const resolver = new DeviceResolver({ hostTree });
  const info = { containerPath: "/dev/mine", type: "b", major: 7n } as const;
  assertEquals(await resolver.resolve({ ...info, minor: 7n }), {
    driver: "block",
    hostPath: "/dev/loop7",
    backingFile: "/srv/disk.img",
    evidence: ["/sys/dev/block/7:7/uevent", "/sys/dev/block/7:7/loop/backing_file"],
  });
  assertEquals((await resolver.resolve({ ...info, minor: 8n })).hostPath, "/dev/mine");
});

Deno.test("NativeHostTree leaves no file descriptor behind", async () => {
  await using builder = await FolderBuilder.create();
  await builder.file("/d/file", "x");
  await builder.link("/d/round", "round");
  await builder.fifo("/d/fifo");
  using libc = Libc.open();
  const open = async () =>
    (await run("ls", "-l", `/proc/${Deno.pid}/fd`)).split("\n")
      .filter((line) => line.includes(builder.folder));
  {
    using tree = new NativeHostTree(libc, builder.folder);
    for (let i = 0; i < 50; i++) {
      for (const path of ["/d", "/d/file", "/d/round", "/d/fifo", "/none"]) {
        await Promise.allSettled([
          tree.stat(path),
          tree.readFile(path),
          tree.list(path),
          tree.readLink(path),
        ]);
      }
    }
    assertEquals((await open()).length, 1, "the root itself");
  }
  assertEquals(await open(), []);
});

Deno.test("NativeHostTree works with a grant of the C library's path alone", async () => {
  using libc = Libc.open();
  const source = `
    import { NativeHostTree } from ${
    JSON.stringify(import.meta.resolve("../../src/native/host_tree.ts"))
  };
    import { Libc } from ${JSON.stringify(import.meta.resolve("../../src/native/libc.ts"))};
    using libc = Libc.open();
    using tree = new NativeHostTree(libc, "/");
    const text = new TextDecoder().decode(await tree.readFile("/proc/self/comm"));
    const names = await tree.list("/proc/self");
    const node = await tree.stat("/dev/null");
    console.log(JSON.stringify([text.length > 0, names.includes("fd"), node.kind, await tree.readLink("/proc/self/cwd")]));`;
  const output = await run(
    Deno.execPath(),
    "run",
    "--no-prompt",
    `--allow-ffi=${libc.path}`,
    `data:text/typescript,${encodeURIComponent(source)}`,
  );
  const [hasText, hasNames, kind, cwd] = JSON.parse(output);
  assertEquals([hasText, hasNames, kind], [true, true, "char"]);
  assertEquals(cwd, Deno.cwd());
});

Deno.test("NativeHostTree goes through links while others rename on the host", async () => {
  await using builder = await FolderBuilder.create();
  await builder.file("/sys/devices/virtual/null/uevent", "DEVNAME=null\n");
  await builder.link("/sys/dev/char/1:3", "../../devices/virtual/null");
  await builder.file("/elsewhere/a", "");
  using libc = Libc.open();
  using tree = new NativeHostTree(libc, builder.folder);
  const [a, b] = ["a", "b"].map((name) => JSON.stringify(`${builder.folder}/elsewhere/${name}`));
  const source = `for (let i = 0; i < 10000; i++) {
    Deno.renameSync(${a}, ${b});
    Deno.renameSync(${b}, ${a});
  }`;
  let renaming = true;
  const renames = run(
    Deno.execPath(),
    "run",
    "-A",
    `data:text/javascript,${encodeURIComponent(source)}`,
  ).finally(() => renaming = false);
  while (renaming) {
    for (let i = 0; i < 100; i++) await tree.readFile("/sys/dev/char/1:3/uevent");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await renames;
});
