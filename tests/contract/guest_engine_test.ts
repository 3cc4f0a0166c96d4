import { assert, assertEquals, assertRejects } from "@std/assert";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { GuestEngine, GuestIdentity } from "../../src/core/ports/guest_engine.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { V86Engine } from "../../src/engines/v86/engine.ts";
import { type ContractPrograms, FAKE_PROGRAMS, FakeEngine } from "../support/guest_engine.ts";
import { V86_PROGRAMS } from "../support/guest_programs.ts";

const FIRST: GuestIdentity = { generation: 7, epoch: 1n, unique: "00".repeat(15) + "01" };
const SECOND: GuestIdentity = { generation: 8, epoch: 2n, unique: "fe".repeat(16) };
const MEMORY_BYTES = 16 * PAGE_BYTES;
const DATA = 0x2000;
const LONG_MS = 60_000;

function contract(name: string, make: () => GuestEngine, programs: ContractPrograms): void {
  const started = async (program: keyof ContractPrograms): Promise<GuestEngine> => {
    const engine = make();
    await engine.initialize({
      memoryBytes: MEMORY_BYTES,
      start: 0x1000,
      load: [{ at: 0x1000, bytes: programs[program] }],
      identity: FIRST,
    });
    return engine;
  };
  const test = (
    criterion: string,
    program: keyof ContractPrograms,
    fn: (engine: GuestEngine) => Promise<void>,
  ): void =>
    Deno.test(`GuestEngine (${name}) ${criterion}`, async () => {
      const engine = await started(program);
      try {
        await fn(engine);
      } finally {
        engine.close();
      }
    });

  test(
    "begins with the ABI's version in eax and the boot block's address in esi",
    "hlt",
    async (e) => {
      const { ax, si, ip, cs, ss, flags } = await e.registers();
      assertEquals({ ax, si, ip, cs, ss, flags }, {
        ax: 1n,
        si: 0n,
        ip: 0x1000n,
        cs: 8n,
        ss: 16n,
        flags: 0x202n,
      });
    },
  );

  test("runs to a notify, with the generation in the data page", "hello", async (e) => {
    assertEquals(await e.run(LONG_MS), { reason: "notify", value: 0x600d });
    assertEquals((await e.registers()).cx, 7n);
    const page = new DataView((await e.read(DATA, 64)).buffer);
    assertEquals(page.getUint32(36, true), 7);
    assertEquals(page.getBigUint64(40, true), 1n);
    assertEquals(new Uint8Array(page.buffer, 48).toHex(), FIRST.unique);
  });

  test("delivers an interrupt once, however often it was raised", "hello", async (e) => {
    await e.run(LONG_MS);
    e.raise(1);
    e.raise(1);
    assertEquals(await e.run(LONG_MS), { reason: "notify", value: 1 });
    assertEquals(await e.run(20), { reason: "budget" });
    e.raise(1);
    assertEquals(await e.run(LONG_MS), { reason: "notify", value: 2 });
  });

  test("wakes a halted guest for a line that nothing handles", "hello", async (e) => {
    await e.run(LONG_MS);
    e.raise(9);
    assertEquals(await e.run(20), { reason: "budget" });
    e.raise(1);
    assertEquals(await e.run(LONG_MS), { reason: "notify", value: 1 });
  });

  test("ends an endless loop at its budget and goes on at the same place", "spin", async (e) => {
    assertEquals(await e.run(30), { reason: "budget" });
    const first = await e.registers();
    assertEquals(await e.run(30), { reason: "budget" });
    const second = await e.registers();
    assert(first.cx > 0n && second.cx > first.cx, `${first.cx} then ${second.cx}`);
  });

  test("ends a run that is interrupted, and only that run", "spin", async (e) => {
    const run = e.run(LONG_MS);
    e.interrupt();
    assertEquals(await run, { reason: "interrupted" });
    e.interrupt();
    assertEquals(await e.run(30), { reason: "budget" });
  });

  test("tells HLT with and without the interrupt flag, and goes on after it", "hlt", async (e) => {
    assertEquals(await e.run(LONG_MS), { reason: "idle" });
    assertEquals((await e.registers()).ip, 0x1001n);
  });

  test("reads and writes registers", "hlt", async (e) => {
    await e.setRegisters({ ax: 0xffff_ffffn, sp: 0x4000n, ip: 0x1234n });
    const { ax, sp, ip } = await e.registers();
    assertEquals({ ax, sp, ip }, { ax: 0xffff_ffffn, sp: 0x4000n, ip: 0x1234n });
  });

  test("reads and writes memory to its last byte", "hlt", async (e) => {
    await e.write(MEMORY_BYTES - 3, Uint8Array.of(1, 2, 3));
    assertEquals([...await e.read(MEMORY_BYTES - 4, 4)], [0, 1, 2, 3]);
  });

  test("restores clones that differ in their identity only", "hello", async (e) => {
    await e.run(LONG_MS);
    e.raise(1);
    const image = await e.capture();
    const clones = [make(), make()];
    try {
      for (const clone of clones) await clone.restore(image, SECOND);
      for (const clone of clones) {
        const before = await e.read(0, MEMORY_BYTES);
        const after = await clone.read(0, MEMORY_BYTES);
        const differing = [...before.keys()].filter((at) => before[at] !== after[at]);
        assert(differing.every((at) => at >= DATA + 36 && at < DATA + 64), `${differing}`);
        assertEquals(await clone.registers(), await e.registers());
        assertEquals(await clone.run(LONG_MS), { reason: "notify", value: 1 });
        assertEquals((await clone.registers()).cx, 8n);
      }
      assertEquals(await e.run(LONG_MS), { reason: "notify", value: 1 });
      assertEquals((await e.registers()).cx, 7n);
    } finally {
      for (const clone of clones) clone.close();
    }
  });

  test("counts notifies of an attached address and goes on (case 13)", "hello", async (e) => {
    const rings: (readonly [number, number])[] = [];
    e.onNotified((some) => rings.push(...some));
    await e.attach(0x600d);
    await e.attach(0x600d);
    assertEquals(await e.run(50), { reason: "budget" });
    assertEquals(rings, [[0x600d, 1]]);
    await e.detach(0x600d);
    e.raise(1);
    assertEquals(await e.run(LONG_MS), { reason: "notify", value: 1 });
    assertEquals(rings.length, 1);
  });

  test("attaches, detaches and identifies while the guest runs (case 16)", "hello", async (e) => {
    const rings: (readonly [number, number])[] = [];
    e.onNotified((some) => rings.push(...some));
    await e.run(LONG_MS);
    const run = e.run(LONG_MS);
    await e.attach(1);
    await e.identify(SECOND);
    e.raise(1);
    while (rings.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(rings, [[1, 1]]);
    e.raise(1);
    assertEquals(await run, { reason: "notify", value: 2 });
    assertEquals((await e.registers()).cx, 8n);
    await e.detach(1);
  });

  test("shows another generation to a guest that does not run", "hello", async (e) => {
    await e.run(LONG_MS);
    await e.identify(SECOND);
    const page = new DataView((await e.read(DATA, 64)).buffer);
    assertEquals([page.getUint32(36, true), page.getBigUint64(40, true)], [8, 2n]);
    assertEquals(new Uint8Array(page.buffer, 48).toHex(), SECOND.unique);
    e.raise(1);
    const identified = e.identify({ ...SECOND, generation: 9 });
    assertEquals(await e.run(LONG_MS), { reason: "notify", value: 1 });
    await identified;
    assertEquals((await e.registers()).cx, 9n);
  });

  test("ends a guest that does what no handler takes", "crash", async (e) => {
    const death = { reason: "dead", deathReason: "unhandled trap 6 at 0x1000" } as const;
    assertEquals(await e.run(LONG_MS), death);
    assertEquals(await e.run(LONG_MS), death);
  });

  test("ends a guest that shuts down, with its message", "shutdown", async (e) => {
    await e.setRegisters({ di: 1n });
    await e.write(0x3000, new TextEncoder().encode("out of beds\0and more"));
    assertEquals(await e.run(LONG_MS), { reason: "dead", deathReason: "CRASH: out of beds" });
  });

  test("tells a restart from a shutdown", "shutdown", async (e) => {
    await e.setRegisters({ di: 2n });
    assertEquals(await e.run(LONG_MS), { reason: "reboot" });
  });

  test("close() ends a run in progress and every later call", "spin", async (e) => {
    const run = assertRejects(() => e.run(LONG_MS), SystemError, "ECANCELED");
    await new Promise((resolve) => setTimeout(resolve, 5));
    e.close();
    await run;
    await assertRejects(() => e.registers(), SystemError, "ECANCELED");
    e.raise(1);
    e.close();
  });
}

contract("fake", () => new FakeEngine(), FAKE_PROGRAMS);
contract("v86", () => new V86Engine(), V86_PROGRAMS);
