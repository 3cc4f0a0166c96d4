import { assert, assertEquals, assertRejects } from "@std/assert";
import type { OpenRequest } from "../../src/core/ports/root_folder.ts";
import { NotRegularFileError, SystemError } from "../../src/core/system_error.ts";
import { HostRoot } from "../../src/native/host_root.ts";
import { Libc } from "../../src/native/libc.ts";

async function errorOf(root: HostRoot, request: Partial<OpenRequest>): Promise<SystemError> {
  const whole = { path: "x", access: "rw", create: "never", permissions: 0o600 } as const;
  return await assertRejects(() => root.open({ ...whole, ...request }), SystemError);
}

Deno.test("HostRoot.open() tells what is no regular file from what the kernel takes for invalid", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/folder`);
  await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
  using libc = Libc.open();
  using root = new HostRoot(libc, folder);
  assert(await errorOf(root, { path: "fifo" }) instanceof NotRegularFileError);
  assertEquals((await errorOf(root, { path: "folder" })).errno, "EISDIR");
  // openat2 refuses a mode of more than the 12 permission bits.
  const invalid = await errorOf(root, { path: "new", create: "exclusive", permissions: 0o10600 });
  assertEquals(invalid.errno, "EINVAL");
  assert(!(invalid instanceof NotRegularFileError));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("HostRoot refuses what is no folder", async () => {
  const file = await Deno.makeTempFile();
  using libc = Libc.open();
  assertEquals(
    (await assertRejects(() => Promise.try(() => new HostRoot(libc, file)), SystemError)).errno,
    "ENOTDIR",
  );
  await Deno.remove(file);
});
