import { assert, assertEquals } from "@std/assert";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import { V86Engine } from "../../src/engines/v86/engine.ts";
import { CLOCK, ECHO, HELLO, PROGRAMS } from "../support/guest_programs.ts";
import { testWhere } from "../support/skip.ts";

const LONG_MS = 60_000;
const IDENTITY = { generation: 7, epoch: 1n, unique: "01".repeat(16) };

function missing(...tools: readonly string[]): string | undefined {
  if (Deno.build.os !== "linux") return "GNU binutils for ELF are needed";
  for (const tool of tools) {
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

/** Runs the commands of README.md beside the sources and returns what they make. */
async function build(
  commands: (out: string) => readonly (readonly string[])[],
): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempDir();
  try {
    for (const [command = "", ...args] of commands(out)) {
      const { success, stderr } = await new Deno.Command(command, { args, cwd: PROGRAMS }).output();
      if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
    }
    return await Deno.readFile(`${out}/bin`);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

for (const [name, stored] of [["hello", HELLO], ["echo", ECHO], ["clock", CLOCK]] as const) {
  testWhere(
    `${name}.bin is what ${name}.S assembles to`,
    missing("as", "ld", "objcopy"),
    async () => {
      const built = await build((out) => [
        ["as", "--32", "-o", `${out}/o`, `${name}.S`],
        [..."ld -m elf_i386 -Ttext=0x1000 -e _start -o".split(" "), `${out}/elf`, `${out}/o`],
        [..."objcopy -O binary -j .text".split(" "), `${out}/elf`, `${out}/bin`],
      ]);
      assertEquals(built, stored);
    },
  );
}

async function withProgram(
  bytes: Uint8Array,
  prepare: (engine: V86Engine) => Promise<void>,
  fn: (engine: V86Engine, rung: Map<number, number>) => Promise<void>,
): Promise<void> {
  const engine = new V86Engine();
  const rung = new Map<number, number>();
  engine.onNotified((rings) => {
    for (const [address, count] of rings) rung.set(address, (rung.get(address) ?? 0) + count);
  });
  try {
    await engine.initialize({
      memoryBytes: 16 * PAGE_BYTES,
      start: 0x1000,
      load: [{ at: 0x1000, bytes }],
      identity: IDENTITY,
    });
    await prepare(engine);
    assertEquals(await engine.run(LONG_MS), { reason: "notify", value: 0x600d });
    await fn(engine, rung);
  } finally {
    engine.close();
  }
}

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const readU32 = async (engine: V86Engine, at: number): Promise<number> =>
  new DataView((await engine.read(at, 4)).buffer).getUint32(0, true);
const nothing = (): Promise<void> => Promise.resolve();

async function countsInterrupts(engine: V86Engine): Promise<void> {
  assertEquals((await engine.registers()).cx, 7n);
  for (let count = 1; count <= 3; count++) {
    engine.raise(1);
    assertEquals(await engine.run(LONG_MS), { reason: "notify", value: count });
    assertEquals((await engine.registers()).cx, 7n);
  }
}

Deno.test("hello counts its interrupts and shows its generation", () =>
  withProgram(HELLO, nothing, countsInterrupts));

testWhere("hello.c built with the guest library does what hello.S does", missing32(), async () => {
  const flags = "-m32 -O1 -ffreestanding -fno-pic -fno-stack-protector -nostdlib -static";
  const bytes = await build((out) => [
    [
      "gcc",
      ...flags.split(" "),
      ..."-fno-asynchronous-unwind-tables -Wl,-T,lib/guest.ld -Wl,--build-id=none".split(" "),
      ...["-o", `${out}/elf`, "lib/start.S", "hello.c"],
    ],
    [..."objcopy -O binary -j .image".split(" "), `${out}/elf`, `${out}/bin`],
  ]);
  await withProgram(bytes, nothing, countsInterrupts);
});

function missing32(): string | undefined {
  const tools = missing("gcc", "objcopy");
  if (tools !== undefined) return tools;
  const args = ["-m32", "-S", "-o", "/dev/null", new URL("hello.c", PROGRAMS).pathname];
  const { success } = new Deno.Command("gcc", { args, stderr: "null" }).outputSync();
  return success ? undefined : "gcc cannot compile for i386";
}

Deno.test("echo hands messages back without a run coming to an end", () =>
  withProgram(ECHO, nothing, async (engine, rung) => {
    await engine.attach(0xec40);
    for (const [index, text] of ["a bed for the night", "x".repeat(4092), ""].entries()) {
      const message = new TextEncoder().encode(text);
      await engine.write(0x3000, u32(message.length));
      await engine.write(0x3004, message);
      engine.raise(1);
      const run = engine.run(LONG_MS);
      while (rung.get(0xec40) !== index + 1) await new Promise((wake) => setTimeout(wake, 1));
      engine.interrupt();
      assertEquals(await run, { reason: "interrupted" });
      const length = await readU32(engine, 0x4000);
      assertEquals(new TextDecoder().decode(await engine.read(0x4004, length)), text);
    }
  }));

Deno.test("echo cuts a message that is longer than its room", () =>
  withProgram(ECHO, nothing, async (engine) => {
    await engine.write(0x3000, u32(0xffff_ffff));
    engine.raise(1);
    assertEquals(await engine.run(LONG_MS), { reason: "notify", value: 0xec40 });
    assertEquals(await readU32(engine, 0x4000), 4092);
  }));

Deno.test("clock ticks, counts interrupts, and stops at a period of 0 (case 31)", () =>
  withProgram(
    CLOCK,
    (engine) => engine.write(0x3000, u32(2_000_000)),
    async (engine, rung) => {
      assertEquals(await engine.run(LONG_MS), { reason: "notify", value: 0x71c });
      assertEquals(await readU32(engine, 0x3004), 1);
      const seconds = new DataView((await engine.read(0x300c, 8)).buffer).getBigUint64(0, true);
      assert(Math.abs(Number(seconds) - Date.now() / 1000) < 60, `${seconds}`);
      await engine.attach(0x71c);
      engine.raise(1);
      while ((await runFor(engine, 20), rung.get(0x71c) ?? 0) < 5);
      assertEquals(await readU32(engine, 0x3008), 1);
      await engine.write(0x3000, u32(0));
      // One more event may be set already.
      let before = 0;
      let ticks = await readU32(engine, 0x3004);
      while (ticks !== before) {
        before = ticks;
        await runFor(engine, 50);
        ticks = await readU32(engine, 0x3004);
      }
      assertEquals(ticks, (rung.get(0x71c) ?? 0) + 1);
    },
  ));

async function runFor(engine: V86Engine, ms: number): Promise<void> {
  assertEquals(await engine.run(ms), { reason: "budget" });
}
