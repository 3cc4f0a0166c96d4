import { assertEquals } from "@std/assert";
import { Libc } from "../../src/native/libc.ts";
import { visibilityOf } from "../../src/native/visibility.ts";

Deno.test("visibilityOf() is all only while every folder above lets others pass", async () => {
  using libc = Libc.open();
  const top = await Deno.makeTempDir();
  const inner = `${top}/a/b`;
  await Deno.mkdir(inner, { recursive: true });
  for (const path of [top, `${top}/a`, inner]) await Deno.chmod(path, 0o755);
  assertEquals(visibilityOf(libc, inner), "all");
  await Deno.chmod(`${top}/a`, 0o700);
  assertEquals(visibilityOf(libc, inner), "owner");
  await Deno.chmod(`${top}/a`, 0o711);
  assertEquals(visibilityOf(libc, inner), "all");
});
