import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { CHANNELS_PER_GUEST_MAX } from "../../../src/core/limits.ts";
import { type ChannelChange, Channels } from "../../../src/guests/guest/channels.ts";
import { FakeClock } from "../../support/clock.ts";

class Bench {
  readonly clock = new FakeClock();
  readonly calls: string[] = [];
  readonly events: string[] = [];
  isDead = false;
  failing: Error | undefined;
  readonly channels = new Channels({
    id: "g",
    clock: this.clock,
    requireAlive: () => {
      if (this.isDead) throw new Fault("guest-dead", "dead");
    },
    attach: (address) => this.#call(`attach ${address}`),
    detach: (address) => this.#call(`detach ${address}`),
    emit: (what, address) => this.events.push(`${what} ${address}`),
  });

  async #call(call: string): Promise<void> {
    await Promise.resolve();
    if (this.failing !== undefined) throw this.failing;
    this.calls.push(call);
  }

  die(): void {
    this.isDead = true;
    this.channels.close();
  }
}

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, Fault)).code, code);
}

Deno.test("Channels.attach() counts from then on, and again changes nothing (cases 13, 15)", async () => {
  const { channels, calls, events } = new Bench();
  const first = await channels.attach(5n);
  assertEquals(first, { channel: { address: 5, count: 0 }, created: true });
  channels.add([[5, 2]]);
  channels.add([[5, 1]]);
  assertEquals(await channels.attach(5n), { channel: { address: 5, count: 3 }, created: false });
  assertEquals(channels.get(5n).count, 3);
  assertEquals([calls, events], [["attach 5"], ["attached 5"]]);
});

Deno.test("Channels.attach() makes one channel for two who attach at once", async () => {
  const { channels, calls } = new Bench();
  const both = await Promise.all([channels.attach(5n), channels.attach(5n)]);
  assertEquals(both.map(({ created }) => created), [true, false]);
  assertEquals(calls, ["attach 5"]);
});

Deno.test("Channels.attach() and detach() take effect in the order they are asked for", async () => {
  const { channels, calls, events } = new Bench();
  await Promise.all([channels.attach(5n), channels.detach(5n), channels.attach(5n)]);
  assertEquals(calls, ["attach 5", "detach 5", "attach 5"]);
  assertEquals(events, ["attached 5", "detached 5", "attached 5"]);
  assertEquals(channels.list(), [{ address: 5, count: 0 }]);
});

Deno.test("Channels.attach() refuses 0 and what is no address (case 15)", async () => {
  const { channels } = new Bench();
  for (const address of [0n, -1n, 1n << 32n, 1n << 64n]) {
    await refused("value-not-allowed", () => channels.attach(address));
    await refused("value-not-allowed", () => channels.detach(address));
    await refused("value-not-allowed", () => channels.drain(address, { waitMs: 0 }));
  }
  await channels.attach(0xffff_ffffn);
  assertEquals(channels.list(), [{ address: 0xffff_ffff, count: 0 }]);
});

Deno.test("Channels.attach() leaves nothing behind when the engine fails", async () => {
  const bench = new Bench();
  bench.failing = new Error("gone");
  await assertRejects(() => bench.channels.attach(5n), Error, "gone");
  assertEquals([bench.channels.list(), bench.events], [[], []]);
});

Deno.test("Channels.attach() keeps to its bound", async () => {
  const { channels } = new Bench();
  for (let address = 1; address <= CHANNELS_PER_GUEST_MAX; address++) {
    await channels.attach(BigInt(address));
  }
  await refused("channels-exhausted", () => channels.attach(9999n));
  await channels.attach(1n);
  await channels.detach(1n);
  await channels.attach(9999n);
});

Deno.test("Channels.drain() takes the whole count once", async () => {
  const { channels } = new Bench();
  await channels.attach(5n);
  channels.add([[5, 3]]);
  assertEquals(await channels.drain(5n, { waitMs: 0 }), 3);
  assertEquals(await channels.drain(5n, { waitMs: 0 }), 0);
  await refused("channel-not-found", () => channels.drain(6n, { waitMs: 0 }));
});

Deno.test("Channels.drain() waits for a notify; only one of two who wait gets it", async () => {
  const { channels, clock } = new Bench();
  await channels.attach(5n);
  const both = [channels.drain(5n, { waitMs: 1000 }), channels.drain(5n, { waitMs: 1000 })];
  channels.add([[5, 2]]);
  clock.advance(1000);
  assertEquals((await Promise.all(both)).sort(), [0, 2]);
  assertEquals(clock.pending, 0);
});

Deno.test("Channels.drain() that waits takes nothing after its caller has gone", async () => {
  const { channels } = new Bench();
  await channels.attach(5n);
  const caller = new AbortController();
  const wait = channels.drain(5n, { waitMs: 1000, signal: caller.signal });
  caller.abort();
  assertEquals(await wait, 0);
  channels.add([[5, 2]]);
  assertEquals(channels.get(5n).count, 2);
});

Deno.test("Channels.drain() ends with its channel and with its guest (case 24)", async () => {
  const bench = new Bench();
  const { channels } = bench;
  await channels.attach(5n);
  await channels.attach(6n);
  const detached = refused("channel-not-found", () => channels.drain(5n, { waitMs: 1000 }));
  const dead = refused("guest-dead", () => channels.drain(6n, { waitMs: 1000 }));
  await channels.detach(5n);
  await detached;
  bench.die();
  await dead;
  assertEquals(bench.clock.pending, 0);
  await refused("guest-dead", () => channels.attach(5n));
  await refused("guest-dead", () => channels.detach(5n));
  assertEquals(assertThrows(() => channels.list(), Fault).code, "guest-dead");
});

Deno.test("Channels.listen() tells every count, and what is left after some is taken", async () => {
  const { channels } = new Bench();
  await channels.attach(5n);
  const changes: ChannelChange[] = [];
  const stop = channels.listen(5n, (change) => changes.push(change));
  channels.add([[5, 3], [6, 1]]);
  assertEquals(channels.take(5n, 2), 1);
  assertEquals(channels.take(5n, 99), 0);
  await channels.detach(5n);
  assertEquals(changes, [
    { kind: "count", count: 3 },
    { kind: "count", count: 1 },
    { kind: "count", count: 0 },
    { kind: "closed" },
  ]);
  stop();
  assertEquals(assertThrows(() => channels.listen(5n, () => {}), Fault).code, "channel-not-found");
});

Deno.test("Channels.detach() drops the count, and of nothing is no error", async () => {
  const { channels, events } = new Bench();
  await channels.attach(5n);
  channels.add([[5, 3]]);
  await channels.detach(5n);
  await channels.detach(5n);
  await channels.attach(5n);
  assertEquals(channels.get(5n).count, 0);
  assertEquals(events, ["attached 5", "detached 5", "attached 5"]);
});
