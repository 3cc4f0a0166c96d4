/**
 * The numbered cases of the guest ABI, on the fake engine and on v86. Those that are about one
 * part alone stand with that part; the last test here sees to it that none is forgotten.
 *
 * @module
 */
import { filesBelow } from "../support/tree.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../src/cli/system.ts";
import { HYPERCALL } from "../../src/engines/lguest/hypercalls.ts";
import { Fault } from "../../src/core/faults.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { GuestEngine } from "../../src/core/ports/guest_engine.ts";
import { V86Engine } from "../../src/engines/v86/engine.ts";
import { Guest } from "../../src/guests/guest/guest.ts";
import { CollectedEvents } from "../support/events.ts";
import { FakeEngine } from "../support/guest_engine.ts";
import { DATA, HANDLED, RING, Script, SCRIPT_AT } from "../support/guest_script.ts";

const LONG_MS = 60_000;
const SHORT_MS = 20;
const IDENTITY = { generation: 7, epoch: 1n, unique: "01".repeat(16) };
const { LOAD_IDT_ENTRY, SET_STACK, SET_CLOCKEVENT, HALT, SEND_INTERRUPTS, SHUTDOWN, LGUEST_INIT } =
  HYPERCALL;

const ENGINES: readonly (readonly [string, () => GuestEngine])[] = [
  ["fake", () => new FakeEngine()],
  ["v86", () => new V86Engine()],
];

function onEach(name: string, script: Script, fn: (guest: Guest) => Promise<void>): void {
  for (const [engineName, make] of ENGINES) {
    Deno.test(`a guest on ${engineName} ${name}`, async () => {
      const engine = make();
      const memoryBytes = 16 * PAGE_BYTES;
      await engine.initialize({
        memoryBytes,
        start: SCRIPT_AT,
        load: [{ at: SCRIPT_AT, bytes: script.bytes }],
        identity: IDENTITY,
      });
      const guest = new Guest({
        kind: "bare",
        id: "g",
        scope: "s",
        memoryBytes,
        createdNs: 0n,
        identity: IDENTITY,
        ownerToken: "a",
        engine,
        clock: systemClock,
        events: new CollectedEvents(),
      });
      try {
        await fn(guest);
      } finally {
        guest.dismiss();
      }
    });
  }
}

const runsTo = async (guest: Guest, value: number): Promise<void> =>
  assertEquals(await guest.run(LONG_MS), { reason: "notify", value });
const spins = async (guest: Guest): Promise<void> =>
  assertEquals(await guest.run(SHORT_MS), { reason: "budget" });
const wordAt = async (guest: Guest, at: number): Promise<number> =>
  new DataView((await guest.memory.read(BigInt(at), 4)).buffer).getUint32(0, true);
const setWord = (guest: Guest, at: number, value: number): Promise<void> =>
  guest.memory.write(BigInt(at), new Uint8Array(Uint32Array.of(value).buffer));

onEach(
  "takes a line that was raised before LGUEST_INIT, once (case 5)",
  new Script().begin().handle(3).enable().call(SEND_INTERRUPTS).notify(1).spin(),
  async (guest) => {
    guest.interrupt(3);
    await runsTo(guest, HANDLED + 3);
    await runsTo(guest, 1);
    await spins(guest);
  },
);

onEach(
  "takes each line once, the lowest first (case 6)",
  new Script().begin().handle(2).handle(3).handle(5).enable().notify(1).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    for (const line of [5, 3, 2, 3]) guest.interrupt(line);
    for (const line of [2, 3, 5]) await runsTo(guest, HANDLED + line);
    await spins(guest);
  },
);

onEach(
  "leaves a line pending that it blocks, until it does no longer (case 7)",
  new Script().begin().handle(3).enable().store(DATA + 8, 1 << 3).notify(1).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    guest.interrupt(3);
    await spins(guest);
    await setWord(guest, DATA + 8, 0);
    await runsTo(guest, HANDLED + 3);
  },
);

onEach(
  "is told what waits while interrupts are off, and takes it when they are on (case 8)",
  new Script().begin().handle(3).notify(1).notify(2).enable().call(SEND_INTERRUPTS).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    guest.interrupt(3);
    await runsTo(guest, 2);
    assertEquals(await wordAt(guest, DATA + 4), 0x200);
    await runsTo(guest, HANDLED + 3);
    assertEquals(await wordAt(guest, DATA + 4), 0);
  },
);

onEach(
  "that is halted is woken, with interrupts on, by a line it handles (case 9)",
  new Script().begin().handle(3, "F").notify(1).call(HALT).notify(2).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    await spins(guest);
    guest.interrupt(3);
    await runsTo(guest, HANDLED + 3);
    assertEquals(await wordAt(guest, DATA), 0x200);
    await runsTo(guest, 2);
  },
);

onEach(
  "that is halted is woken by a line that nothing handles, which stays pending (case 9)",
  new Script().begin().notify(1).call(HALT).notify(2).handle(9).call(SEND_INTERRUPTS).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    guest.interrupt(9);
    await runsTo(guest, 2);
    assertEquals(await wordAt(guest, DATA), 0x200);
    await runsTo(guest, HANDLED + 9);
  },
);

{
  const script = new Script().begin().handle(3).enable();
  const stores = new Script().store(0, 0).store(0, 0).bytes.length;
  const notify = new Script().notify(0).bytes.length;
  const first = script.here + stores;
  script.store(DATA + 12, first + notify).store(DATA + 16, first + 3 * notify);
  script.notify(1).notify(2).notify(3).notify(4).spin();
  onEach(
    "is left alone in [noirqStart, noirqEnd), and not at its end (case 10)",
    script,
    async (guest) => {
      await runsTo(guest, 1);
      guest.interrupt(3);
      await runsTo(guest, 2);
      await runsTo(guest, 3);
      assertEquals((await guest.registers.all()).ip, BigInt(first + 3 * notify));
      await runsTo(guest, HANDLED + 3);
      await runsTo(guest, 4);
    },
  );
}

for (const [type, enabled] of [["E", 0], ["F", 0x200]] as const) {
  onEach(
    `enters a handler of type ${type} with interrupts ${enabled ? "on" : "off"} (case 12)`,
    new Script().begin().handle(3, type).enable().notify(1).spin(),
    async (guest) => {
      await runsTo(guest, 1);
      const { sp } = await guest.registers.all();
      guest.interrupt(3);
      await runsTo(guest, HANDLED + 3);
      assertEquals(await wordAt(guest, DATA), enabled);
      assertEquals((await guest.registers.all()).sp, sp - 12n);
    },
  );
}

onEach(
  "counts notifies where somebody is attached and goes on (cases 13, 16)",
  new Script().begin().notify(7).notify(7).notify(7).notify(8).notify(7).notify(9).spin(),
  async (guest) => {
    await guest.channels.attach(7n);
    await runsTo(guest, 8);
    assertEquals(guest.channels.get(7n).count, 3);
    await runsTo(guest, 9);
    assertEquals(await guest.channels.drain(7n, { waitMs: 0 }), 4);
  },
);

onEach(
  "goes on after a notify, and a notify of 0 is none (cases 14, 15, 17)",
  new Script().begin().notify(1).notify(0).notify(2).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    const before = await guest.registers.all();
    assertEquals([before.ax, before.bx], [17n, 1n]);
    assertEquals(await guest.registers.all(), before);
    assertEquals(guest.exit, { reason: "notify", value: 1 });
    await runsTo(guest, 2);
  },
);

onEach(
  "reads back the registers that can be set (cases 18, 19)",
  new Script().begin().notify(1).notify(2).spin(),
  async (guest) => {
    await runsTo(guest, 1);
    const { ip } = await guest.registers.all();
    await guest.registers.set(new Map([["ax", 0xffff_ffffn], ["sp", 0x7000n], ["ip", ip]]));
    const { ax, sp } = await guest.registers.all();
    assertEquals([ax, sp], [0xffff_ffffn, 0x7000n]);
    await runsTo(guest, 2);
  },
);

const DEATHS: readonly (readonly [name: string, reason: string, script: Script])[] = [
  [
    "a message outside memory (case 21)",
    "bad read address 0x10000 len 128",
    calling(SHUTDOWN, 0x10000, 1),
  ],
  [
    "a shutdown (case 22)",
    "CRASH: Oh",
    new Script().begin().store(0x3000, 0x684f).call(SHUTDOWN, 0x3000, 1),
  ],
  [
    "a call before LGUEST_INIT (case 23)",
    "hypercall 9 before INIT",
    new Script().call(SET_CLOCKEVENT, 1),
  ],
  ["a second LGUEST_INIT (case 23)", "already have lguest_data", calling(LGUEST_INIT, DATA)],
  ["a call that there is not (case 23)", "Bad hypercall 99", calling(99)],
  [
    "a vector that there is not (case 33)",
    "Setting idt entry 256",
    calling(LOAD_IDT_ENTRY, 256, 0, 0x8e00),
  ],
  ["a gate of type 5 (case 33)", "bad IDT type 5", calling(LOAD_IDT_ENTRY, 40, 0, 0x8500)],
  [
    "a stack segment of ring 3 (case 34)",
    "bad stack segment 19",
    calling(SET_STACK, 0x13, 0x9000, 1),
  ],
  ["three stack pages (case 34)", "bad stack pages 3", calling(SET_STACK, 0x10, 0x9000, 3)],
];

function calling(number: number, bx = 0, cx = 0, dx = 0): Script {
  return new Script().begin().call(number, bx, cx, dx).spin();
}

for (const [name, deathReason, script] of DEATHS) {
  onEach(`dies of ${name}, and says so for ever (case 24)`, script, async (guest) => {
    assertEquals(await guest.run(LONG_MS), { reason: "dead", deathReason });
    for (let i = 0; i < 2; i++) {
      const fault = await assertRejects(() => guest.run(LONG_MS), Fault);
      assertEquals([fault.code, fault.members["deathReason"]], ["guest-dead", deathReason]);
    }
  });
}

onEach(
  "may set vectors 2, 8, 15 and 31 without effect (case 33)",
  [2, 8, 15, 31].reduce(
    (script, vector) => script.call(LOAD_IDT_ENTRY, vector, 0, 0x8500),
    new Script().begin(),
  ).notify(1),
  (guest) => runsTo(guest, 1),
);

onEach(
  "that asks for a restart tells it by no text (case 22)",
  calling(SHUTDOWN, 0x3000, 2),
  async (guest) => {
    assertEquals(await guest.run(LONG_MS), { reason: "reboot" });
    assertEquals((await assertRejects(() => guest.run(1), Fault)).errno, "ERESTART");
  },
);

onEach(
  "in an endless loop is interrupted, is readable, and goes on where it was (cases 27, 28)",
  new Script().spin(),
  async (guest) => {
    const client = new AbortController();
    const run = guest.run(LONG_MS, client.signal);
    await new Promise((resolve) => setTimeout(resolve, SHORT_MS));
    client.abort();
    assertEquals(await run, { reason: "interrupted" });
    const { cx, ip } = await guest.registers.all();
    assert(ip >= BigInt(SCRIPT_AT) && ip <= BigInt(SCRIPT_AT + 1));
    await spins(guest);
    assert((await guest.registers.all()).cx > cx);
  },
);

onEach(
  "loses no call and repeats none, wherever it is interrupted (case 29)",
  Array.from({ length: 40 }, (_, index) => index + 1).reduce(
    (script, value) => script.notify(7).notify(value + 100),
    new Script().begin(),
  ).spin(),
  async (guest) => {
    await guest.channels.attach(7n);
    const seen: number[] = [];
    while (seen.length < 40) {
      const client = new AbortController();
      const run = guest.run(LONG_MS, client.signal);
      client.abort();
      const exit = await run;
      if (exit.reason === "notify") seen.push(exit.value);
      else {
        assertEquals(exit, { reason: "interrupted" });
        const next = await guest.run(LONG_MS);
        if (next.reason === "notify") seen.push(next.value);
      }
    }
    assertEquals(seen, Array.from({ length: 40 }, (_, index) => index + 101));
    assertEquals(guest.channels.get(7n).count, 40);
  },
);

onEach(
  "that is halted is woken by its clock (case 31)",
  new Script().begin().handle(0).enable().call(SET_CLOCKEVENT, 5_000_000).call(HALT).notify(1)
    .call(SET_CLOCKEVENT, 5_000_000).call(SET_CLOCKEVENT, 0).call(HALT).notify(2),
  async (guest) => {
    await runsTo(guest, HANDLED);
    await runsTo(guest, 1);
    await spins(guest);
  },
);

onEach(
  "does queued calls first, and a queued notify leaves the rest to the next run (case 35)",
  new Script().begin()
    .queue([SET_CLOCKEVENT, 0], [HYPERCALL.NOTIFY, 5], [HYPERCALL.NOTIFY, 7], [HYPERCALL.NOTIFY, 6])
    .notify(1).notify(2).spin(),
  async (guest) => {
    await guest.channels.attach(7n);
    await runsTo(guest, 5);
    assertEquals([...await guest.memory.read(BigInt(RING), 5)], [0xff, 0xff, 0, 0, 0xff]);
    await runsTo(guest, 6);
    assertEquals(guest.channels.get(7n).count, 1);
    await runsTo(guest, 1);
    assertEquals([...await guest.memory.read(BigInt(RING), 5)], [0xff, 0xff, 0xff, 0xff, 0xff]);
    await runsTo(guest, 2);
  },
);

/** Cases without a test of their own, and why. */
const WITHOUT_TEST: ReadonlyMap<number, string> = new Map([
  [36, "there is no request that injects a trap: guests take their processor's traps themselves"],
  [38, "there is no memory above pfnLimit that a launcher serves: it reads as ones"],
  [42, "Idempotency-Key belongs to every POST: it is tested with the requests, not with guests"],
]);

/** Where else cases are tested. */
const TESTS = [
  "../contract/guest_engine_test.ts",
  "../engines/lguest/guest_abi_test.ts",
  "../engines/lguest/run_loop_test.ts",
  "../engines/v86/engine_test.ts",
  "../routes/guests/guests_test.ts",
];

Deno.test("every one of the 44 cases has a test that carries its number, or a reason", async () => {
  const named = new Set<number>(WITHOUT_TEST.keys());
  for (const path of [...TESTS, ...testsBeside()]) {
    const text = await Deno.readTextFile(new URL(path, import.meta.url));
    for (const [, numbers = ""] of text.matchAll(/\(cases? ([0-9, ]+)\)/g)) {
      for (const number of numbers.split(",")) named.add(Number(number));
    }
  }
  const all = Array.from({ length: 44 }, (_, index) => index + 1);
  assertEquals(all.filter((number) => !named.has(number)), []);
});

function testsBeside(): string[] {
  return filesBelow("tests/guests/").filter((path) => path.endsWith("_test.ts"))
    .map((path) => path.replace("tests/guests/", "./"));
}
