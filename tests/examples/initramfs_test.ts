import { assertEquals } from "@std/assert";
import { initramfs } from "../../examples/demo/initramfs.ts";
import { missingProgram, testWhere } from "../support/skip.ts";

/** The names and contents of a newc archive, by its own numbers. */
function entries(archive: Uint8Array): [name: string, mode: string, content: string][] {
  const text = (from: number, to: number): string =>
    new TextDecoder().decode(archive.subarray(from, to));
  const found: [string, string, string][] = [];
  for (let at = 0; at < archive.length;) {
    assertEquals(text(at, at + 6), "070701");
    const field = (index: number): number =>
      parseInt(text(at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const [mode, size, nameBytes] = [field(1), field(6), field(11)];
    const name = text(at + 110, at + 110 + nameBytes - 1);
    const from = Math.ceil((at + 110 + nameBytes) / 4) * 4;
    if (name === "TRAILER!!!") return found;
    found.push([name, mode.toString(8), text(from, from + size)]);
    at = Math.ceil((from + size) / 4) * 4;
  }
  throw new Error("no trailer");
}

Deno.test("initramfs() makes folders on the way once, and keeps contents and modes", () => {
  const archive = initramfs([
    { path: "init", content: "#!/bin/sh\n", executable: true },
    { path: "etc/a/one", content: "1" },
    { path: "etc/a/two", content: Uint8Array.of(0x32, 0x32) },
  ]);
  assertEquals(entries(archive), [
    ["init", "100755", "#!/bin/sh\n"],
    ["etc", "40755", ""],
    ["etc/a", "40755", ""],
    ["etc/a/one", "100644", "1"],
    ["etc/a/two", "100644", "22"],
  ]);
});

testWhere("initramfs() is an archive that cpio takes", missingProgram("cpio"), async () => {
  const child = new Deno.Command("cpio", { args: ["-t"], stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(initramfs([{ path: "a/b", content: "text" }]));
  await writer.close();
  const { code, stdout } = await child.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "a\na/b\n"]);
});
