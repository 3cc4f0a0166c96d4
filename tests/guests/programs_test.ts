import { assertEquals } from "@std/assert";
import { HELLO } from "../support/guest_programs.ts";
import { testWhere } from "../support/skip.ts";

const SOURCE = new URL("../../src/guests/programs/hello.S", import.meta.url);

async function run(folder: string, command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, cwd: folder }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}

function missing(): string | undefined {
  if (Deno.build.os !== "linux") return "GNU binutils for ELF are needed";
  for (const tool of ["as", "ld", "objcopy"]) {
    try {
      const { stdout } = new Deno.Command(tool, { args: ["--help"] }).outputSync();
      if (tool === "ld" && !new TextDecoder().decode(stdout).includes("elf_i386")) {
        return "ld cannot link for i386";
      }
    } catch {
      return `${tool} is not installed`;
    }
  }
  return undefined;
}

testWhere("hello.bin is what hello.S assembles to", missing(), async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(SOURCE, `${folder}/hello.S`);
    await run(folder, "as", "--32", "-o", "hello.o", "hello.S");
    const link = ["-m", "elf_i386", "-Ttext=0x1000", "-e", "_start", "-o", "hello.elf", "hello.o"];
    await run(folder, "ld", ...link);
    await run(folder, "objcopy", "-O", "binary", "-j", ".text", "hello.elf", "hello.bin");
    assertEquals(await Deno.readFile(`${folder}/hello.bin`), HELLO);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
