import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { HYPERCALL } from "../../../src/engines/lguest/hypercalls.ts";
import { PAGE_BYTES } from "../../../src/core/limits.ts";
import type { GuestExit } from "../../../src/core/ports/guest_engine.ts";
import { V86Engine } from "../../../src/engines/v86/engine.ts";
import { HELLO, RING3, V86_PROGRAMS } from "../../support/guest_programs.ts";
import { Script } from "../../support/guest_script.ts";

const IDENTITY = { generation: 7, epoch: 1n, unique: "01".repeat(16) };
const LONG_MS = 60_000;

async function withGuest(
  pages: number,
  code: Uint8Array | readonly number[],
  fn: (engine: V86Engine) => Promise<void>,
): Promise<void> {
  const engine = new V86Engine();
  try {
    await engine.initialize({
      memoryBytes: pages * PAGE_BYTES,
      start: 0x1000,
      load: [{ at: 0x1000, bytes: Uint8Array.from(code) }],
      identity: IDENTITY,
    });
    await fn(engine);
  } finally {
    engine.close();
  }
}

const u32 = (value: number): number[] => [
  ...new Uint8Array(Uint32Array.of(value).buffer),
];
/** mov value, %eax; mov %eax, at; mov at, %eax; hlt */
const storeAndLoad = (value: number, at: number): number[] => [
  ...[0xb8, ...u32(value)],
  ...[0xa3, ...u32(at)],
  ...[0x31, 0xc0], // xor %eax, %eax
  ...[0xa1, ...u32(at)],
  0xf4,
];

Deno.test("V86Engine gives a guest exactly its pages; above them all bits are one", async () => {
  const cases = [
    [2, 0x1ffc, 0x1234_5678],
    [2, 0x2000, 0xffff_ffff],
    [2, 0x2_0000, 0xffff_ffff],
    [2, 0x7fff_0000, 0xffff_ffff],
  ] as const;
  for (const [pages, at, expected] of cases) {
    await withGuest(pages, storeAndLoad(0x1234_5678, at), async (engine) => {
      assertEquals(await engine.run(LONG_MS), { reason: "idle" });
      assertEquals((await engine.registers()).ax, BigInt(expected), `0x${at.toString(16)}`);
    });
  }
});

Deno.test("V86Engine has memory where a PC has its screen", async () => {
  await withGuest(512, storeAndLoad(0x1234_5678, 0xa_0010), async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "idle" });
    assertEquals((await engine.registers()).ax, 0x1234_5678n);
    assertEquals([...await engine.read(0xa_0010, 4)], [0x78, 0x56, 0x34, 0x12]);
    const image = await engine.capture();
    assertEquals([...image.pages], [1, 0xa0]);
  });
});

Deno.test("V86Engine runs code where a PC has its screen", async () => {
  // mov $0xa0000, %eax; jmp *%eax
  await withGuest(512, [0xb8, ...u32(0xa_0000), 0xff, 0xe0], async (engine) => {
    // inc %ecx; cmp $200000, %ecx; jne 0xa0000; hlt
    const loop = [0x41, 0x81, 0xf9, ...u32(200_000), 0x75, 0xf7, 0xf4];
    await engine.write(0xa_0000, Uint8Array.from(loop));
    assertEquals(await engine.run(LONG_MS), { reason: "idle" });
    assertEquals((await engine.registers()).cx, 200_000n);
  });
});

Deno.test("V86Engine has no devices: a port reads as ones and execution goes on (case 37)", async () => {
  // in $0x60, %al; mov %al, %bl; out %al, $0x20; hlt
  await withGuest(2, [0xe4, 0x60, 0x88, 0xc3, 0xe6, 0x20, 0xf4], async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "idle" });
    const { bx, ip } = await engine.registers();
    assertEquals([bx, ip], [0xffn, 0x1007n]);
  });
});

Deno.test("V86Engine tells HLT with interrupts off", async () => {
  // cli; hlt; hlt
  await withGuest(2, [0xfa, 0xf4, 0xf4], async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "halt" });
    assertEquals(await engine.run(LONG_MS), { reason: "halt" });
    assertEquals((await engine.registers()).ip, 0x1003n);
  });
});

Deno.test("V86Engine delivers an interrupt from ring 3 on the ring 0 stack (case 11)", async () => {
  await withGuest(16, RING3, async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "notify", value: 0x1234 });
    const user = await engine.registers();
    assertEquals([user.cs, user.ss, user.sp], [0x1bn, 0x23n, 0x6000n]);
    engine.raise(1);
    assertEquals(await engine.run(LONG_MS), { reason: "notify", value: 0x5678 });
    const kernel = await engine.registers();
    assertEquals([kernel.cs, kernel.ss, kernel.sp], [0x08n, 0x10n, 0x3fecn]);
    const frame = new Uint32Array((await engine.read(0x3fec, 20)).buffer);
    assertEquals([...frame].map(BigInt), [user.ip, user.cs, user.flags, user.sp, user.ss]);
    assertEquals(await engine.run(LONG_MS), { reason: "notify", value: 0x1234 });
    const back = await engine.registers();
    assertEquals([back.cs, back.ss, back.sp], [0x1bn, 0x23n, 0x6000n]);
  });
});

Deno.test("V86Engine names the trap that no handler takes (case 32)", async () => {
  const cases = [
    [[0x31, 0xc9, 0xf7, 0xf1], "unhandled trap 0 at 0x1002"], // xor %ecx, %ecx; div %ecx
    [[0x0f, 0x0b], "unhandled trap 6 at 0x1000"], // ud2
    [[0xb8, ...u32(0x40), 0x8e, 0xd8], "unhandled trap 13 at 0x1005"], // mov $0x40, %ds
    [[0xcd, 0x40], "unhandled trap 64 at 0x1000"], // int $0x40
  ] as const;
  for (const [code, deathReason] of cases) {
    await withGuest(2, code, async (engine) => {
      assertEquals(await engine.run(LONG_MS), { reason: "dead", deathReason });
    });
  }
});

Deno.test("V86Engine gives the processor's traps to the guest's handlers (case 11)", async () => {
  // A handler of trap 13 that pops the error code and halts, then a load of segment 0x40.
  const script = new Script().begin();
  const handler = script.here + new Script().call(0).bytes.length + 7;
  script.call(HYPERCALL.LOAD_IDT_ENTRY, 13, handler, 0x8e00);
  const code = [...script.bytes, 0xb8, ...u32(0x40), 0x8e, 0xd8, 0x5b, 0xf4];
  await withGuest(16, code, async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "halt" });
    const { bx, ip, sp } = await engine.registers();
    assertEquals([bx, ip], [0x40n, BigInt(handler + 2)]);
    const frame = new Uint32Array((await engine.read(Number(sp), 12)).buffer);
    assertEquals([...frame.slice(0, 2)], [handler - 2, 0x08]);
  });
});

Deno.test("V86Engine.restore() keeps the guest's own handlers of traps", async () => {
  const script = new Script().begin();
  const handler = script.here + 2 * new Script().call(0).bytes.length + 2;
  script.call(HYPERCALL.LOAD_IDT_ENTRY, 6, handler, 0x8e00).notify(1);
  await withGuest(16, [...script.bytes, 0x0f, 0x0b, 0xf4], async (engine) => {
    await engine.run(LONG_MS);
    const clone = new V86Engine();
    try {
      await clone.restore(await engine.capture(), IDENTITY);
      assertEquals(await clone.run(LONG_MS), { reason: "halt" });
      assertEquals((await clone.registers()).ip, BigInt(handler + 1));
    } finally {
      clone.close();
    }
  });
});

Deno.test("V86Engine.restore() puts every page where it was", async () => {
  await withGuest(64, [0xf4], async (engine) => {
    for (const page of [3, 4, 5, 9, 62, 63]) {
      await engine.write(page * PAGE_BYTES + page, Uint8Array.of(page));
    }
    const image = await engine.capture();
    assertEquals([...image.pages], [1, 3, 4, 5, 9, 62, 63]);
    const clone = new V86Engine();
    try {
      await clone.restore(image, IDENTITY);
      assertEquals(await clone.read(0, 64 * PAGE_BYTES), await engine.read(0, 64 * PAGE_BYTES));
    } finally {
      clone.close();
    }
  });
});

Deno.test("V86Engine.detach() has reported every notify before it (case 16)", async () => {
  // init; 1: incl 0x1900; NOTIFY 7; jmp 1b
  const code = [
    ...[0xbb, ...u32(0x1800), 0xb8, ...u32(1), 0xe7, 0x1f],
    ...[0xbb, ...u32(7), 0xff, 0x05, ...u32(0x1900), 0xb8, ...u32(17), 0xe7, 0x1f, 0xeb, 0xec],
  ];
  await withGuest(2, code, async (engine) => {
    let reported = 0;
    engine.onNotified((rings) => {
      for (const [, count] of rings) reported += count;
    });
    for (let round = 0; round < 10; round++) {
      await engine.attach(7);
      const run = engine.run(LONG_MS);
      while (reported < 100 * (round + 1)) await new Promise((resolve) => setTimeout(resolve, 1));
      await engine.detach(7);
      assertEquals(await run, { reason: "notify", value: 7 });
      const counted = new DataView((await engine.read(0x1900, 4)).buffer).getUint32(0, true);
      // One notify a round has ended a run instead.
      assertEquals(counted, reported + round + 1);
    }
  });
});

Deno.test("V86Engine.interrupt() ends a run that still waits behind an earlier call", async () => {
  const engine = new V86Engine();
  try {
    const start = engine.initialize({
      memoryBytes: 2 * PAGE_BYTES,
      start: 0x1000,
      load: [{ at: 0x1000, bytes: V86_PROGRAMS.spin }],
      identity: IDENTITY,
    });
    const run = engine.run(LONG_MS);
    engine.interrupt();
    await start;
    assertEquals(await run, { reason: "interrupted" });
    assertEquals((await engine.registers()).cx, 0n);
  } finally {
    engine.close();
  }
});

Deno.test("V86Engine delivers a line that is raised while the guest sleeps or computes", async () => {
  await withGuest(16, HELLO, async (engine) => {
    await engine.run(LONG_MS);
    const run = engine.run(LONG_MS);
    await new Promise((resolve) => setTimeout(resolve, 5));
    engine.raise(1);
    assertEquals(await deadline(run, LONG_MS), { reason: "notify", value: 1 });
  });
});

Deno.test("V86Engine keeps a write over compiled code", async () => {
  // 1: dec %ecx; jnz 1b; hlt
  const loop = [0xb9, ...u32(5_000_000), 0x49, 0x75, 0xfd, 0xf4];
  await withGuest(2, loop, async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "idle" });
    // The same loop with inc %eax before its end: the compiled form must be forgotten.
    const other = [0xb9, ...u32(1000), 0x40, 0x49, 0x75, 0xfc, 0xf4];
    await engine.write(0x1000, Uint8Array.from(other));
    await engine.setRegisters({ ip: 0x1000n, ax: 0n });
    assertEquals(await engine.run(LONG_MS), { reason: "idle" });
    assertEquals((await engine.registers()).ax, 1000n);
  });
});

Deno.test("V86Engine.restore() keeps the FPU, SSE registers and arithmetic flags", async () => {
  const code = [
    ...[0xb8, ...u32(77), 0x66, 0x0f, 0x6e, 0xc0], // mov $77, %eax; movd %eax, %xmm0
    ...[0xd9, 0xe8], // fld1
    ...[0xd9, 0xe8], // fld1
    ...[0xde, 0xc1], // faddp
    ...[0x31, 0xc0], // xor %eax, %eax
    ...[0x83, 0xe8, 0x01], // sub $1, %eax: sets carry
    0xf4, // hlt
    ...[0x83, 0xd3, 0x00], // adc $0, %ebx
    ...[0xdb, 0x1d, ...u32(0x1800)], // fistpl 0x1800
    ...[0x66, 0x0f, 0x7e, 0xc1], // movd %xmm0, %ecx
    0xf4, // hlt
  ];
  await withGuest(2, code, async (engine) => {
    assertEquals(await engine.run(LONG_MS), { reason: "idle" });
    const clone = new V86Engine();
    try {
      await clone.restore(await engine.capture(), IDENTITY);
      assertEquals(await clone.run(LONG_MS), { reason: "idle" });
      const { bx, cx } = await clone.registers();
      assertEquals([bx, cx], [1n, 77n]);
      assertEquals([...await clone.read(0x1800, 4)], [2, 0, 0, 0]);
    } finally {
      clone.close();
    }
  });
});

Deno.test("V86Engine runs many hypercalls without losing one", async () => {
  // init; 1: inc %edi; SEND_INTERRUPTS; cmp $20000, %edi; jne 1b; hlt
  const code = [
    ...[0xbb, ...u32(0x1800), 0xb8, ...u32(1), 0xe7, 0x1f],
    ...[0x47, 0xb8, ...u32(19), 0xe7, 0x1f, 0x81, 0xff, ...u32(20_000), 0x75, 0xf0],
    0xf4,
  ];
  await withGuest(2, code, async (engine) => {
    let exit: GuestExit;
    do {
      exit = await engine.run(20);
    } while (exit.reason === "budget");
    assertEquals(exit, { reason: "idle" });
    assertEquals((await engine.registers()).di, 20_000n);
  });
});
