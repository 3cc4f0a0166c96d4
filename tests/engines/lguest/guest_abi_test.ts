import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import type { GuestIdentity } from "../../../src/core/ports/guest_engine.ts";
import { GuestAbi } from "../../../src/engines/lguest/guest_abi.ts";
import { HYPERCALL } from "../../../src/engines/lguest/hypercalls.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeVcpu } from "../../support/guest_engine.ts";
import { testSeed } from "../../support/random.ts";

const IDENTITY: GuestIdentity = { generation: 7, epoch: 3n, unique: "ab".repeat(16) };
const DATA = 0x2000;
const HANDLER = 0x1500;
const IF = 0x200;

class Bench {
  readonly clock = new FakeClock();
  readonly vcpu = new FakeVcpu(0x10000);
  readonly abi = new GuestAbi(this.vcpu, IDENTITY, this.clock);

  constructor() {
    this.abi.start(0x1000);
    this.vcpu.set("sp", 0x8000);
  }

  call(number: number, bx = 0, cx = 0, dx = 0): number | undefined {
    this.vcpu.values.set("ax", number).set("bx", bx >>> 0).set("cx", cx >>> 0).set("dx", dx >>> 0);
    this.abi.called();
    return this.abi.doCalls();
  }

  /** With a data page, interrupts enabled, and a handler of this gate type for these lines. */
  ready(type: "E" | "F", ...lines: number[]): this {
    this.call(HYPERCALL.LGUEST_INIT, DATA);
    for (const line of lines) {
      const high = type === "E" ? 0x8e00 : 0x8f00;
      this.call(HYPERCALL.LOAD_IDT_ENTRY, 32 + line, HANDLER + line, high);
    }
    this.vcpu.writeU32(DATA, IF);
    this.vcpu.set("ip", 0x1234);
    return this;
  }

  get deathReason(): string | undefined {
    return this.abi.death?.reason === "dead" ? this.abi.death.deathReason : this.abi.death?.reason;
  }
}

Deno.test("GuestAbi.prepareEntry() delivers nothing before LGUEST_INIT (case 5)", () => {
  const bench = new Bench();
  bench.abi.interrupts.raise(3);
  assert(bench.abi.prepareEntry());
  assertEquals(bench.vcpu.get("ip"), 0x1000);
  bench.ready("E", 3);
  assert(bench.abi.prepareEntry());
  assertEquals(bench.vcpu.get("ip"), HANDLER + 3);
  assertFalse(bench.abi.interrupts.isPending(3));
});

Deno.test("GuestAbi.prepareEntry() takes the lowest line first, each once (case 6)", () => {
  const bench = new Bench().ready("F", 2, 5);
  for (const line of [5, 2, 5]) bench.abi.interrupts.raise(line);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), HANDLER + 2);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), HANDLER + 5);
  bench.vcpu.set("ip", 0x1111);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), 0x1111);
});

Deno.test("GuestAbi.prepareEntry() takes line 31, whose bit is the sign", () => {
  const bench = new Bench().ready("E", 31);
  bench.abi.interrupts.raise(31);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), HANDLER + 31);
  assertFalse(bench.abi.interrupts.isPending(31));
});

Deno.test("GuestAbi.prepareEntry() leaves a blocked line pending (case 7)", () => {
  const bench = new Bench().ready("E", 3);
  bench.vcpu.writeU32(DATA + 8, 1 << 3);
  bench.abi.interrupts.raise(3);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), 0x1234);
  bench.vcpu.writeU32(DATA + 8, 0);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), HANDLER + 3);
});

Deno.test("GuestAbi.prepareEntry() tells a guest with interrupts off what waits (case 8)", () => {
  const bench = new Bench().ready("E", 3);
  bench.vcpu.writeU32(DATA, 0);
  bench.abi.interrupts.raise(3);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), 0x1234);
  assertEquals(bench.vcpu.readU32(DATA + 4), IF);
  bench.vcpu.writeU32(DATA, IF);
  assertEquals(bench.call(HYPERCALL.SEND_INTERRUPTS), undefined);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), HANDLER + 3);
  assertEquals(bench.vcpu.readU32(DATA + 4), 0);
});

Deno.test("GuestAbi.prepareEntry() wakes a halted guest, with or without a handler (case 9)", () => {
  for (const handled of [true, false]) {
    const bench = new Bench().ready("E", ...handled ? [3] : []);
    bench.vcpu.writeU32(DATA, 0);
    bench.call(HYPERCALL.HALT);
    assertFalse(bench.abi.prepareEntry());
    bench.abi.interrupts.raise(3);
    assert(bench.abi.prepareEntry());
    assertEquals(bench.vcpu.get("ip"), handled ? HANDLER + 3 : 0x1234);
    assertEquals(bench.abi.interrupts.isPending(3), !handled);
    assertEquals(bench.vcpu.readU32(DATA), handled ? 0 : IF);
  }
});

Deno.test("GuestAbi.prepareEntry() delivers nothing in [noirqStart, noirqEnd) (case 10)", () => {
  for (
    const [ip, delivered] of [[0x11ff, true], [0x1200, false], [0x120f, false], [0x1210, true]]
  ) {
    const bench = new Bench().ready("E", 3);
    bench.vcpu.writeU32(DATA + 12, 0x1200);
    bench.vcpu.writeU32(DATA + 16, 0x1210);
    bench.vcpu.set("ip", ip as number);
    bench.abi.interrupts.raise(3);
    bench.abi.prepareEntry();
    assertEquals(bench.vcpu.get("ip") === HANDLER + 3, delivered);
  }
});

Deno.test("GuestAbi.prepareEntry() pushes 12 bytes from ring 0 and 20 from ring 3 (case 11)", () => {
  const kernel = new Bench().ready("E", 3);
  kernel.vcpu.set("flags", 0x246);
  kernel.abi.interrupts.raise(3);
  kernel.abi.prepareEntry();
  assertEquals(kernel.vcpu.get("sp"), 0x8000 - 12);
  const frame = (vcpu: FakeVcpu, count: number): number[] =>
    Array.from({ length: count }, (_, index) => vcpu.readU32(vcpu.get("sp") + index * 4));
  assertEquals(frame(kernel.vcpu, 3), [0x1234, 0x08, 0x246]);

  const user = new Bench().ready("E", 3);
  user.call(HYPERCALL.SET_STACK, 0x10, 0x9000, 1);
  user.vcpu.values.set("cs", 0x1b).set("ss", 0x23).set("sp", 0x7000);
  user.abi.interrupts.raise(3);
  user.abi.prepareEntry();
  assertEquals(user.vcpu.get("sp"), 0x9000 - 20);
  assertEquals(frame(user.vcpu, 5), [0x1234, 0x1b, 0x202, 0x7000, 0x23]);
  assertEquals([user.vcpu.get("cs"), user.vcpu.get("ss")], [0x08, 0x10]);
});

Deno.test("GuestAbi.prepareEntry() turns interrupts off for gate type E only (case 12)", () => {
  for (const [type, enabled] of [["E", 0], ["F", IF]] as const) {
    const bench = new Bench().ready(type, 3);
    bench.abi.interrupts.raise(3);
    bench.abi.prepareEntry();
    assertEquals(bench.vcpu.readU32(DATA), enabled);
  }
});

Deno.test("GuestAbi.prepareEntry() ends a guest whose stack leads out of its memory", () => {
  for (const sp of [8, 0x10004]) {
    const bench = new Bench().ready("E", 3);
    bench.vcpu.set("sp", sp);
    bench.abi.interrupts.raise(3);
    assertFalse(bench.abi.prepareEntry());
    const at = ((sp - 12) >>> 0).toString(16);
    assertEquals(bench.deathReason, `bad write address 0x${at} len 12`);
  }
});

Deno.test("GuestAbi.doCalls() passes a notify on, and none of 0 (cases 14, 15)", () => {
  const bench = new Bench().ready("E");
  assertEquals(bench.call(HYPERCALL.NOTIFY, 0xcafe), 0xcafe);
  assertEquals(bench.call(HYPERCALL.NOTIFY, 0), undefined);
  assertEquals(bench.call(HYPERCALL.FLUSH_ASYNC), undefined);
  assertEquals(bench.abi.death, undefined);
});

Deno.test("GuestAbi.doCalls() counts a notify to an attached address and goes on (case 13)", () => {
  const bench = new Bench().ready("E");
  bench.abi.doorbells.attach(0xcafe);
  for (let i = 0; i < 3; i++) assertEquals(bench.call(HYPERCALL.NOTIFY, 0xcafe), undefined);
  assertEquals(bench.call(HYPERCALL.NOTIFY, 0xbeef), 0xbeef);
  assertEquals(bench.abi.doorbells.take(), [[0xcafe, 3]]);
  bench.abi.doorbells.detach(0xcafe);
  assertEquals(bench.call(HYPERCALL.NOTIFY, 0xcafe), 0xcafe);
});

const RING = 0x4000;

/** Puts calls into the ring, from this slot on. */
function queue(bench: Bench, from: number, calls: readonly (readonly number[])[]): void {
  for (const [index, call] of calls.entries()) {
    const slot = (from + index) % 64;
    for (const [word, value] of call.entries()) {
      bench.vcpu.writeU32(RING + 64 + slot * 20 + word * 4, value);
    }
    bench.vcpu.write(RING + slot, Uint8Array.of(0));
  }
}

function withRing(): Bench {
  const bench = new Bench().ready("E");
  bench.vcpu.write(RING, new Uint8Array(64).fill(0xff));
  bench.vcpu.writeU32(DATA + 20, RING);
  return bench;
}

const { SET_CLOCKEVENT, NOTIFY, HALT, FLUSH_ASYNC, SHUTDOWN } = HYPERCALL;

Deno.test("GuestAbi.doCalls() does queued calls first, and stops at a notify (case 35)", () => {
  const bench = withRing();
  queue(bench, 0, [[SET_CLOCKEVENT, 5_000_000], [NOTIFY, 0xcafe], [SET_CLOCKEVENT, 7_000_000]]);
  assertEquals(bench.call(HALT), 0xcafe);
  assertEquals(bench.abi.clockLeftMs, 5);
  assertEquals([...bench.vcpu.read(RING, 4)], [0xff, 0xff, 0, 0xff]);
  assert(bench.abi.callPending);
  assertFalse(bench.abi.interrupts.halted);

  assertEquals(bench.abi.doCalls(), undefined);
  assertEquals(bench.abi.clockLeftMs, 7);
  assertEquals(bench.vcpu.read(RING, 64), new Uint8Array(64).fill(0xff));
  assert(bench.abi.interrupts.halted);
  assertFalse(bench.abi.callPending);
});

Deno.test("GuestAbi.doCalls() goes round the ring, in order, all slots at most", () => {
  const bench = withRing();
  const rung: number[] = [];
  let slot = 0;
  for (const count of [40, 40, 64]) {
    const calls = Array.from({ length: count }, (_, index) => [NOTIFY, slot + index + 1]);
    queue(bench, slot, calls);
    for (let value = bench.call(FLUSH_ASYNC); value !== undefined; value = bench.abi.doCalls()) {
      rung.push(value);
    }
    slot = (slot + count) % 64;
    assertEquals(rung.splice(0), calls.map(([, value]) => value));
  }
});

Deno.test("GuestAbi.doCalls() leaves the direct call of a guest that a queued one ends", () => {
  const bench = withRing();
  queue(bench, 0, [[99], [SET_CLOCKEVENT, 1_000_000]]);
  assertEquals(bench.call(SHUTDOWN, 0x3000, 2), undefined);
  assertEquals(bench.deathReason, "Bad hypercall 99");
  assertEquals(bench.abi.clockLeftMs, Infinity);
});

Deno.test("GuestAbi.doCalls() ends a guest whose ring is not all in its memory", () => {
  for (const at of [0x10000 - 64 - 64 * 20 + 1, 0xffff_fffc]) {
    const bench = withRing();
    bench.vcpu.writeU32(DATA + 20, at);
    bench.call(FLUSH_ASYNC);
    assertEquals(bench.deathReason, "Fetching async hypercalls");
  }
  const fits = withRing();
  fits.vcpu.write(0x10000 - 64 - 64 * 20, new Uint8Array(64).fill(0xff));
  fits.vcpu.writeU32(DATA + 20, 0x10000 - 64 - 64 * 20);
  fits.call(FLUSH_ASYNC);
  assertEquals(fits.abi.death, undefined);
});

Deno.test("GuestAbi.restore() keeps a call that waits, and the place in the ring", () => {
  const bench = withRing();
  queue(bench, 0, [[NOTIFY, 1], [NOTIFY, 2]]);
  assertEquals(bench.call(NOTIFY, 3), 1);
  const state = JSON.parse(JSON.stringify(bench.abi.state));
  const clone = new GuestAbi(bench.vcpu, IDENTITY, bench.clock);
  clone.restore(state);
  assert(clone.callPending);
  assertEquals([clone.doCalls(), clone.doCalls()], [2, 3]);
  assertFalse(clone.callPending);
});

Deno.test("GuestAbi.identify() shows another generation, also to a guest that begins later", () => {
  const other = { generation: 9, epoch: 4n, unique: "cd".repeat(16) };
  const late = new Bench();
  late.abi.identify(other);
  late.ready("E");
  const live = new Bench().ready("E");
  live.abi.identify(other);
  for (const { vcpu } of [late, live]) {
    assertEquals(vcpu.readU32(DATA + 36), 9);
    assertEquals(vcpu.read(DATA + 48, 16).toHex(), other.unique);
  }
});

Deno.test("GuestAbi.doCalls() checks where SHUTDOWN's message is first (case 21)", () => {
  const bench = new Bench().ready("E");
  bench.call(HYPERCALL.SHUTDOWN, 0x10000, 1);
  bench.abi.die("later");
  assertEquals(bench.deathReason, "bad read address 0x10000 len 128");
});

Deno.test("GuestAbi.doCalls() keeps 127 bytes of SHUTDOWN's message, to its NUL (case 22)", () => {
  const long = new Bench().ready("E");
  long.vcpu.write(0x3000, new TextEncoder().encode("x".repeat(200)));
  long.call(HYPERCALL.SHUTDOWN, 0x3000, 1);
  assertEquals(long.deathReason, `CRASH: ${"x".repeat(127)}`);
  const restart = new Bench().ready("E");
  restart.call(HYPERCALL.SHUTDOWN, 0x3000, 2);
  assertEquals(restart.abi.death, { reason: "reboot" });
});

Deno.test("GuestAbi.doCalls() has the fixed texts of death (case 23)", () => {
  const early = new Bench();
  early.call(9, 1);
  assertEquals(early.deathReason, "hypercall 9 before INIT");
  const twice = new Bench().ready("E");
  twice.call(HYPERCALL.LGUEST_INIT, DATA);
  assertEquals(twice.deathReason, "already have lguest_data");
  for (const number of [99, 4, 5, 8, 13, 14, 15, 16, 18, -1]) {
    const bench = new Bench().ready("E");
    bench.call(number);
    assertEquals(bench.deathReason, `Bad hypercall ${number}`);
  }
});

Deno.test("GuestAbi.doCalls() wants the whole data page in memory", () => {
  const fits = new Bench();
  fits.call(HYPERCALL.LGUEST_INIT, 0x10000 - 64);
  assertEquals(fits.abi.death, undefined);
  for (const at of [0x10000 - 63, 0xffff_ffff]) {
    const bench = new Bench();
    bench.call(HYPERCALL.LGUEST_INIT, at);
    assertEquals(bench.deathReason, `bad guest page 0x${at.toString(16)}`);
  }
});

Deno.test("GuestAbi fires line 0 at the clock event; 0 cancels it (case 31)", () => {
  const bench = new Bench().ready("E", 0);
  bench.call(HYPERCALL.SET_CLOCKEVENT, 5_000_000);
  bench.call(HYPERCALL.HALT);
  assertEquals(bench.abi.clockLeftMs, 5);
  bench.clock.advance(4);
  assertFalse(bench.abi.prepareEntry());
  bench.clock.advance(1);
  assert(bench.abi.prepareEntry());
  assertEquals(bench.vcpu.get("ip"), HANDLER);
  bench.call(HYPERCALL.SET_CLOCKEVENT, 5_000_000);
  bench.call(HYPERCALL.SET_CLOCKEVENT, 0);
  assertEquals(bench.abi.clockLeftMs, Infinity);
});

Deno.test("GuestAbi.doCalls() checks IDT entries as lguest does (case 33)", () => {
  for (const vector of [2, 8, 15, 31]) {
    const bench = new Bench().ready("E");
    bench.call(HYPERCALL.LOAD_IDT_ENTRY, vector, 0, 0x8500);
    assertEquals(bench.abi.death, undefined);
  }
  const far = new Bench().ready("E");
  far.call(HYPERCALL.LOAD_IDT_ENTRY, 256, 0, 0x8e00);
  assertEquals(far.deathReason, "Setting idt entry 256");
  const task = new Bench().ready("E");
  task.call(HYPERCALL.LOAD_IDT_ENTRY, 40, 0, 0x8500);
  assertEquals(task.deathReason, "bad IDT type 5");
});

Deno.test("GuestAbi.doCalls() removes a handler whose entry is not present", () => {
  const bench = new Bench().ready("E", 3);
  bench.call(HYPERCALL.LOAD_IDT_ENTRY, 35, 0, 0x0500);
  bench.abi.interrupts.raise(3);
  bench.abi.prepareEntry();
  assertEquals(bench.vcpu.get("ip"), 0x1234);
  assertEquals(bench.abi.death, undefined);
});

Deno.test("GuestAbi.doCalls() wants a stack of ring 0 and two pages at most (case 34)", () => {
  for (
    const [segment, pointer, pages, reason] of [
      [0x13, 0x9000, 1, "bad stack segment 19"],
      [0x10, 0x9000, 3, "bad stack pages 3"],
      [0x10, 0x10001, 1, "bad stack page 0x10001"],
      [0x10, 0xfff, 1, "bad stack page 0xfff"],
    ] as const
  ) {
    const bench = new Bench().ready("E");
    bench.call(HYPERCALL.SET_STACK, segment, pointer, pages);
    assertEquals(bench.deathReason, reason);
  }
});

Deno.test("GuestAbi.restore() goes on with everything but the identity", () => {
  const first = new Bench().ready("E", 3);
  first.call(HYPERCALL.SET_CLOCKEVENT, 5_000_000);
  first.abi.interrupts.raise(3);
  first.clock.advance(5);
  const state = JSON.parse(JSON.stringify(first.abi.state));

  const vcpu = new FakeVcpu(0x10000);
  vcpu.write(0, first.vcpu.memory);
  vcpu.values.set("ip", 0x1234).set("sp", 0x8000);
  const other = { generation: 9, epoch: 4n, unique: "cd".repeat(16) };
  const clone = new GuestAbi(vcpu, other, first.clock);
  clone.restore(state);
  assertEquals(vcpu.readU32(DATA + 36), 9);
  assertEquals(vcpu.read(DATA + 48, 16).toHex(), other.unique);
  // A clock event that was due at the snapshot still comes.
  assert(Number.isFinite(clone.clockLeftMs));
  clone.prepareEntry();
  assertEquals(vcpu.get("ip"), HANDLER + 3);
});

Deno.test("GuestAbi never reaches outside memory, whatever a guest asks", () => {
  const numbers = fc.oneof(
    fc.constantFrom(...Object.values(HYPERCALL)),
    fc.nat(32),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  );
  const values = fc.oneof(
    fc.integer({ min: 0, max: 0xffff_ffff }),
    fc.integer({ min: 0xff00, max: 0x10100 }),
    fc.nat(0x40),
  );
  const step = fc.record({
    number: numbers,
    values: fc.array(values, { minLength: 6, maxLength: 6 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.boolean(), (steps, begun) => {
      const bench = begun ? new Bench().ready("E", 0, 1, 31) : new Bench();
      for (const { number, values: [bx, cx, dx, sp, ip, line] } of steps) {
        bench.vcpu.values.set("sp", sp ?? 0).set("ip", ip ?? 0).set("cs", (line ?? 0) & 3 | 8);
        bench.abi.interrupts.raise((line ?? 0) & 31);
        // FakeVcpu throws on an access outside its memory.
        if (!bench.abi.prepareEntry()) break;
        bench.call(number, bx, cx, dx);
        bench.clock.advance(1);
      }
    }),
    { seed: testSeed(), numRuns: 2000 },
  );
});
