import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import type { LedgerEntry } from "../../../src/core/ports/ledger.ts";
import type { MappingKey } from "../../../src/devices/anonymous/mapping.ts";
import type { AnonymousDevices } from "../../../src/devices/anonymous/anonymous_devices.ts";
import { openAnonymous } from "../../support/devices.ts";
import { MemoryLedger } from "../../support/ledger.ts";
import { SeededRandom, testSeed } from "../../support/random.ts";

/** A ledger whose commits take a random number of turns and fail now and then. */
class UnreliableLedger extends MemoryLedger {
  constructor(readonly random: SeededRandom) {
    super();
  }

  override async commit(entries: readonly LedgerEntry[]): Promise<void> {
    for (let turns = this.random.below(6); turns > 0; turns--) await Promise.resolve();
    if (this.random.below(5) === 0) throw new Error("failing now and then");
    await super.commit(entries);
  }
}

/** What callers got as answers. */
interface Answers {
  readonly inodes: bigint[];
  readonly mapped: Map<string, Set<bigint>>;
  readonly freed: Set<bigint>;
}

const nameOf = ({ device, secondaryDevice, inode }: MappingKey) =>
  `${device}/${secondaryDevice}/${inode}`;

async function act(
  registry: AnonymousDevices,
  random: SeededRandom,
  answers: Answers,
): Promise<void> {
  const key = (): MappingKey => ({
    device: BigInt(random.below(2)),
    secondaryDevice: random.pick(["", "s"]),
    inode: BigInt(random.below(12)),
  });
  const note = (key: MappingKey, virtualInode: bigint) =>
    answers.mapped.set(
      nameOf(key),
      (answers.mapped.get(nameOf(key)) ?? new Set()).add(virtualInode),
    );
  const virtualInode = BigInt(random.below(30) + 1);
  switch (random.below(4)) {
    case 0:
      answers.inodes.push(await registry.nextInode("anon-1"));
      break;
    case 1: {
      const mapping = { key: key(), virtualInode };
      await registry.load("anon-2", mapping);
      note(mapping.key, virtualInode);
      break;
    }
    case 2:
      await registry.free("anon-2", virtualInode);
      answers.freed.add(virtualInode);
      break;
    default: {
      const keys = Array.from({ length: random.below(5) }, key);
      const items = await registry.map("anon-2", keys);
      for (const [i, item] of items.entries()) {
        assertEquals(item.mapping.key, keys[i]);
        note(item.mapping.key, item.mapping.virtualInode);
      }
    }
  }
}

Deno.test("AnonymousDevices keeps its word to many callers at once on a ledger that fails now and then", async () => {
  const seed = testSeed();
  for (let round = 0; round < 60; round++) {
    const random = new SeededRandom(seed + round);
    const ledger = new UnreliableLedger(random);
    const registry = await openAnonymous(ledger);
    for (const kind of ["simple", "multi"] as const) {
      while (await registry.create(kind).then(() => false, () => true));
    }
    const answers: Answers = { inodes: [], mapped: new Map(), freed: new Set() };
    const acts = Array.from({ length: 80 }, async () => {
      for (let turns = random.below(300); turns > 0; turns--) await Promise.resolve();
      await act(registry, random, answers);
    });
    for (const result of await Promise.allSettled(acts)) {
      if (result.status === "rejected" && !(result.reason instanceof Fault)) throw result.reason;
    }

    const where = `INNKEEPER_TEST_SEED=${seed}, round ${round}`;
    assertEquals(new Set(answers.inodes).size, answers.inodes.length, `inode twice: ${where}`);
    const live = registry.mappings("anon-2").items;
    for (const { key, virtualInode } of live) {
      const names = [...answers.mapped].filter(([, inodes]) => inodes.has(virtualInode));
      const known = names.some(([name]) => name === nameOf(key));
      assert(known, `${virtualInode} is mapped and no answer said so: ${where}`);
    }
    for (const [name, inodes] of answers.mapped) {
      for (const inode of inodes) {
        const found = live.find((mapping) => mapping.virtualInode === inode);
        const isLive = found !== undefined && nameOf(found.key) === name;
        assert(isLive || answers.freed.has(inode), `${inode} was acknowledged and lost: ${where}`);
      }
    }
    const again = await openAnonymous(ledger);
    assertEquals(again.mappings("anon-2").items, live, where);
    assertEquals(again.mappingCount, registry.mappingCount, where);
    assertEquals(again.get("anon-1").last, BigInt(answers.inodes.length), where);
    assertEquals(again.get("anon-2").last, registry.get("anon-2").last, where);
  }
});
