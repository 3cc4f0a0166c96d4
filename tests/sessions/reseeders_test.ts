import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { SERIAL_BACKLOG_BYTES } from "../../src/core/limits.ts";
import type { GuestImage } from "../../src/core/ports/guest_engine.ts";
import type { PcDevices } from "../../src/core/ports/pc_devices.ts";
import { Innkeeper, type InnkeeperParts } from "../../src/daemon/innkeeper.ts";
import { Guests } from "../../src/guests/guests.ts";
import { FakeEngine } from "../support/guest_engine.ts";
import { guestFiles } from "../support/guest_files.ts";
import { bzImageOf } from "../support/kernels.ts";
import { Reseeders } from "../../src/sessions/reseeders.ts";
import { ScopesBench } from "../support/scopes.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

const ADMIN = { ownerToken: undefined, force: true };

/** An engine on which nothing runs: the test speaks for the guest on its second line. */
class TalkingEngine extends FakeEngine {
  devices: PcDevices | undefined;
  readonly heard: string[] = [];

  override serve(devices?: PcDevices): void {
    this.devices = devices;
  }

  override send(_line?: number, bytes?: Uint8Array): Promise<void> {
    this.heard.push(new TextDecoder().decode(bytes).trimEnd());
    return Promise.resolve();
  }

  override async capture(): Promise<GuestImage> {
    return { ...await super.capture(), abi: undefined };
  }

  async say(text: string): Promise<void> {
    this.devices?.written(1, new TextEncoder().encode(`${text}\n`));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function bench() {
  const scopesBench = new ScopesBench();
  const scopes = await scopesBench.open();
  const engines: TalkingEngine[] = [];
  const guests = await Guests.open({
    engines: {
      v86: () => {
        const engine = new TalkingEngine();
        engines.push(engine);
        return engine;
      },
    },
    files: guestFiles(() => bzImageOf()),
    snapshots: new MemorySnapshots(),
    ledger: scopesBench.ledger,
    events: scopesBench.events,
    clock: scopesBench.clock,
    random: scopesBench.random,
  });
  const innkeeper = new Innkeeper(
    { scopes, guests, reseeders: new Reseeders() } as Partial<
      InnkeeperParts
    > as InnkeeperParts,
  );
  const boot = async (name: string): Promise<TalkingEngine> => {
    const linux = { memoryMiB: 20, kernel: "k", disks: [] };
    const command = { name, engine: "auto", linux } as const;
    await innkeeper.createGuest(command, "test");
    return engines.at(-1) as TalkingEngine;
  };
  const clone = async (name: string, snapshot: string, scope: string): Promise<TalkingEngine> => {
    const command = { name, engine: "auto", scope, snapshot } as const;
    await innkeeper.createGuest(command, "test");
    return engines.at(-1) as TalkingEngine;
  };
  return { innkeeper, scopes, guests, boot, clone, clock: scopesBench.clock };
}

async function blocked(call: Promise<unknown>): Promise<[string, ...string[]]> {
  const { code, members } = await assertRejects(() => call, Fault);
  return [code, ...(members["watchers"] as { name: string }[]).map(({ name }) => name)];
}

Deno.test("a guest's reseeder watches its scope, hears of a bump until it confirms that one", async () => {
  const { scopes, boot } = await bench();
  const engine = await boot("deb");
  await engine.say("watch reseed");
  const scope = scopes.get("deb");
  assertEquals(engine.heard, ["watching reseed"]);
  await scope.bump({ reason: "restore", by: "test" });
  const { generation, epoch, unique } = scope.state.current;
  await engine.say("ack 99 1");
  await engine.say(`ack ${generation} ${epoch}`);
  const notice = `generation ${generation} ${epoch} ${unique}`;
  assertEquals(engine.heard.slice(1), [
    notice,
    "error stale-generation",
    notice,
    `taken ${generation}`,
  ]);
  assertEquals((await scope.barrier({}, { waitMs: 0 })).generation, generation);
});

Deno.test("a guest whose reseeder failed keeps the barrier closed until it confirms", async () => {
  const { scopes, boot } = await bench();
  const engine = await boot("deb");
  await engine.say("ack 1 1");
  assertEquals(engine.heard, ["error say watch first"]);
  await engine.say("watch reseed");
  const scope = scopes.get("deb");
  await scope.bump({ reason: "restore", by: "test" });
  const { generation, epoch } = scope.state.current;
  await engine.say(`fail ${generation} 10-app ended with 1`);
  assertEquals(await blocked(scope.barrier({}, { waitMs: 0 })), ["watchers-failed", "deb.reseed"]);
  await engine.say(`ack ${generation} ${epoch}`);
  await scope.barrier({}, { waitMs: 0 });
});

Deno.test("a clone's reseeder blocks the barrier before the clone has run, one whose engine is gone is lost", async () => {
  const { scopes, guests, boot, clone, clock } = await bench();
  const engine = await boot("deb");
  await engine.say("watch reseed");
  await guests.get("deb").pause();
  const { id } = await guests.snapshot("deb", guests.newOwner("deb"));
  const clones = [
    await clone("one", id, "clones"),
    await clone("two", id, "clones"),
    await clone("three", id, "clones"),
  ];
  const scope = scopes.get("clones");
  assertEquals(await blocked(scope.barrier({}, { waitMs: 0 })), [
    "watchers-outdated",
    "one.reseed",
    "two.reseed",
    "three.reseed",
  ]);
  const { generation, epoch } = scope.state.current;
  for (const one of clones) assert(one.heard.at(-1)?.startsWith(`generation ${generation} `));
  await clones[0]?.say(`ack ${generation} ${epoch}`);
  // As when its Worker is killed: the next thing that is asked of it fails.
  clones[1]?.close();
  await guests.get("two").registers.all().catch(() => {});
  assertEquals(guests.get("two").state, "dead");
  clock.advance(10);
  await clones[2]?.say(`ack ${generation} ${epoch}`);
  assertEquals(await blocked(scope.barrier({}, { waitMs: 0 })), ["watchers-lost", "two.reseed"]);
  for (const name of ["one", "two", "three"]) await guests.delete(name, ADMIN);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(!scopes.has("clones"), "the scope of guests that are gone is still there");
});

Deno.test("a guest that floods its reseed line holds nobody up, and is told to say it again", async () => {
  const { boot } = await bench();
  const engine = await boot("deb");
  await engine.say("watch reseed");
  let longestMs = 0;
  let lastMs = performance.now();
  const watch = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 1);
  // As much as a guest can write before the host takes any, time after time.
  const flood = new TextEncoder().encode("ack 99 1\n".repeat(SERIAL_BACKLOG_BYTES / 9));
  for (let n = 0; n < 20; n++) {
    engine.devices?.written(1, flood);
    await new Promise((resolve) => setTimeout(resolve));
  }
  clearInterval(watch);
  assert(longestMs < 1000, `the loop stood still for ${longestMs} ms`);
  assert(engine.heard.includes("error too many requests: say it again"));
  const heard = engine.heard.length;
  await engine.say("ack 99 1");
  assertEquals(engine.heard.slice(heard).at(-1), "error stale-generation");
});
