import { assertEquals } from "@std/assert";
import type { Rings } from "../../../src/core/ports/guest_engine.ts";
import { GuestAbi } from "../../../src/engines/lguest/guest_abi.ts";
import { HYPERCALL } from "../../../src/engines/lguest/hypercalls.ts";
import { RunLoop } from "../../../src/engines/lguest/run_loop.ts";
import type { VcpuExit } from "../../../src/engines/lguest/vcpu.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeVcpu } from "../../support/guest_engine.ts";

const IDENTITY = { generation: 7, epoch: 3n, unique: "ab".repeat(16) };
const DATA = 0x2000;

/** A guest that makes these calls one after the other, each in a slice of a millisecond. */
class Script {
  readonly clock = new FakeClock();
  readonly vcpu = new FakeVcpu(0x10000);
  readonly abi = new GuestAbi(this.vcpu, IDENTITY, this.clock);
  readonly idles: number[] = [];
  readonly rings: Rings[] = [];
  made = 0;
  readonly loop: RunLoop;
  #onIdle: () => void = () => {};

  constructor(readonly calls: readonly (readonly [number, number?, number?, number?])[]) {
    this.loop = new RunLoop(
      {
        wallNs: () => this.clock.wallNs(),
        monotonicMs: () => this.clock.monotonicMs(),
        idle: async (ms) => {
          this.idles.push(ms);
          await Promise.resolve();
          this.#onIdle();
          this.clock.advance(ms);
        },
        wake: () => {},
        notified: (rings) => this.rings.push(rings),
      },
      this.abi,
      () => this.#slice(),
    );
    this.abi.start(0x1000);
    this.vcpu.set("sp", 0x8000);
  }

  onIdle(action: () => void): void {
    this.#onIdle = action;
  }

  onSlice: () => void = () => {};

  #slice(): VcpuExit {
    this.clock.advance(1);
    this.onSlice();
    const call = this.calls[this.made];
    if (call === undefined) return { reason: "slice" };
    this.made++;
    const [ax, bx = 0, cx = 0, dx = 0] = call;
    this.vcpu.values.set("ax", ax).set("bx", bx).set("cx", cx).set("dx", dx);
    return { reason: "doorbell" };
  }
}

const { LGUEST_INIT, LOAD_IDT_ENTRY, SET_CLOCKEVENT, HALT, NOTIFY } = HYPERCALL;

Deno.test("RunLoop.run() does a call that an interrupt meets exactly once (case 29)", async () => {
  const script = new Script([[LGUEST_INIT, DATA], [NOTIFY, 5], [NOTIFY, 6]]);
  script.onSlice = () => {
    if (script.made === 1) script.loop.interrupt();
  };
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 5 });
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 6 });

  const quiet = new Script([[LGUEST_INIT, DATA], [NOTIFY, 6]]);
  quiet.onSlice = () => {
    if (quiet.made === 0) quiet.loop.interrupt();
  };
  assertEquals(await quiet.loop.run(1000), { reason: "interrupted" });
  assertEquals(quiet.made, 1);
  assertEquals(await quiet.loop.run(1000), { reason: "notify", value: 6 });
  assertEquals(quiet.abi.death, undefined);
});

Deno.test("RunLoop.run() sleeps while the guest is halted, up to its budget", async () => {
  const script = new Script([[LGUEST_INIT, DATA], [HALT], [NOTIFY, 1]]);
  assertEquals(await script.loop.run(1000), { reason: "budget" });
  assertEquals(script.made, 2);
  assertEquals(Math.max(...script.idles), 998);
});

Deno.test("RunLoop.run() wakes a halted guest at its clock event (case 31)", async () => {
  const script = new Script([
    [LGUEST_INIT, DATA],
    [LOAD_IDT_ENTRY, 32, 0x1500, 0x8e00],
    [SET_CLOCKEVENT, 5_000_000],
    [HALT],
    [NOTIFY, 1],
  ]);
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 1 });
  assertEquals(script.vcpu.get("ip"), 0x1500);
  assertEquals(script.clock.monotonicMs(), 9);
});

Deno.test("RunLoop.raise() and interrupt() reach a guest that sleeps", async () => {
  const script = new Script([[LGUEST_INIT, DATA], [HALT], [NOTIFY, 1], [HALT]]);
  script.onIdle(() => {
    if (script.made === 2) script.loop.raise(4);
    if (script.made === 4) script.loop.interrupt();
  });
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 1 });
  assertEquals(await script.loop.run(1000), { reason: "interrupted" });
});

Deno.test("RunLoop.run() forgets an interrupt that came between runs", async () => {
  const script = new Script([[LGUEST_INIT, DATA], [NOTIFY, 1]]);
  script.loop.interrupt();
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 1 });
});

Deno.test("RunLoop.run() lets messages in while the guest computes", async () => {
  const script = new Script([]);
  script.onIdle(() => script.loop.interrupt());
  assertEquals(await script.loop.run(1000), { reason: "interrupted" });
  assertEquals(script.idles, [0]);
});

Deno.test("RunLoop.run() does a call that waits before it looks at the signal (case 29)", async () => {
  const script = new Script([[LGUEST_INIT, DATA], [NOTIFY, 7]]);
  const ring = 0x4000;
  script.vcpu.write(ring, new Uint8Array(64).fill(0xff));
  script.vcpu.write(ring, Uint8Array.of(0));
  script.vcpu.writeU32(ring + 64, NOTIFY);
  script.vcpu.writeU32(ring + 68, 6);
  script.vcpu.writeU32(DATA + 20, ring);
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 6 });
  const again = script.loop.run(1000);
  script.loop.interrupt();
  assertEquals(await again, { reason: "notify", value: 7 });
  assertEquals(script.made, 2);
});

Deno.test("RunLoop.run() tells of attached notifies when it breathes and before it ends (case 13)", async () => {
  const script = new Script([
    [LGUEST_INIT, DATA],
    [NOTIFY, 5],
    [NOTIFY, 5],
    [NOTIFY, 8],
    [NOTIFY, 5],
    [HALT],
  ]);
  script.abi.doorbells.attach(5);
  assertEquals(await script.loop.run(1000), { reason: "notify", value: 8 });
  const counted = (): number => script.rings.flat().reduce((sum, [, count]) => sum + count, 0);
  assertEquals(counted(), 2);
  assertEquals(await script.loop.run(1000), { reason: "budget" });
  assertEquals(counted(), 3);
});
