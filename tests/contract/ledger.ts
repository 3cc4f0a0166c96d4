import { assertEquals, assertRejects } from "@std/assert";
import type { Ledger } from "../../src/core/ports/ledger.ts";

/** What every ledger must do. `open` opens the same storage again each time. */
export function ledgerContract(name: string, open: () => Ledger): void {
  Deno.test(`${name} keeps what was committed, in the order of ids, and removes`, async () => {
    const ledger = open();
    await ledger.commit([
      { kind: "scope", id: "b", body: { n: 1 } },
      { kind: "scope", id: "a", body: { n: 2 } },
      { kind: "watcher", id: "a", body: "other kind" },
    ]);
    await ledger.commit([
      { kind: "scope", id: "b", body: { n: 3 } },
      { kind: "watcher", id: "a", body: undefined },
      { kind: "watcher", id: "never-was", body: undefined },
    ]);
    assertEquals(await ledger.load("scope"), [{ id: "a", body: { n: 2 } }, {
      id: "b",
      body: { n: 3 },
    }]);
    assertEquals(await ledger.load("watcher"), []);
    await ledger.close();
  });

  Deno.test(`${name} keeps commits of one turn apart: one that fails takes only itself back`, async () => {
    const ledger = open();
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    const good = ledger.commit([{ kind: "device", id: "good", body: 1 }]);
    const bad = ledger.commit([
      { kind: "device", id: "half", body: 1 },
      { kind: "device", id: "bad", body: cyclic },
    ]);
    await Promise.all([good, assertRejects(() => bad)]);
    assertEquals(await ledger.load("device"), [{ id: "good", body: 1 }]);
    await ledger.close();
  });
}
