import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ProcessIdentity } from "../../src/core/ports/processes.ts";
import { isUpToDate, judgeResumption } from "../../src/generations/resumption.ts";
import { Scope } from "../../src/generations/scope.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { FakeProcesses } from "../support/processes.ts";

const NOWHERE = { unique: "00", reason: "test", by: "test", atNs: 0n };

/** A watcher in the plainest form. */
interface Known {
  id: string;
  token: string;
  before: string | undefined;
  process: ProcessIdentity | undefined;
  isConnected: boolean;
  /** Somebody else came with its token. */
  isSpent: boolean;
  acked: bigint;
}

/** The rule in its plainest form (docs/generations.md#tokens). */
function naive(
  all: readonly Known[],
  token: string,
  process: ProcessIdentity | undefined,
  isDead: (process: ProcessIdentity) => boolean,
): [kind: string, id?: string] {
  const isSame = (one: Known): boolean => process !== undefined && one.process?.pid === process.pid;
  const holder = all.find((one) => one.token === token && !one.isSpent);
  if (holder !== undefined) {
    const isGone = !holder.isConnected && holder.process !== undefined && isDead(holder.process);
    return [isSame(holder) || isGone ? "continue" : "supersede", holder.id];
  }
  const earlier = all.filter((one) => one.before === token || one.token === token);
  const same = earlier.find(isSame);
  return same === undefined ? ["stranger"] : ["continue", same.id];
}

const step = fc.oneof(
  fc.record({ do: fc.constant("join" as const), process: fc.nat(3) }),
  fc.record({ do: fc.constant("return" as const), token: fc.nat(20), process: fc.nat(3) }),
  fc.record({ do: fc.constantFrom("ack" as const, "cut" as const), pick: fc.nat(9) }),
  fc.record({ do: fc.constant("kill" as const), process: fc.nat(2) }),
  fc.constant({ do: "bump" as const }),
);

Deno.test("judgeResumption() agrees with a naive model, and no return loses a watcher that may live", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const scope = new Scope("vm-7", DEFAULT_OPTIONS, { ...NOWHERE, generation: 0, epoch: 0n });
      const host = new FakeProcesses();
      // The last one stands for a program of which the host can prove nothing.
      const processes = [host.start(), host.start(), host.start(), undefined];
      const all: Known[] = [];
      const tokens: string[] = [];
      const mint = (): string => {
        tokens.push(`t${tokens.length}`);
        return tokens.at(-1) as string;
      };
      const peerOf = (at: number): ProcessIdentity | undefined => {
        const process = processes[at];
        return process !== undefined && host.isPeer(process) ? process : undefined;
      };
      const join = (process: ProcessIdentity | undefined, acked: bigint): void => {
        const [id, token] = [`w${all.length}-${tokens.length}`, mint()];
        const presence = { presence: "connected", presenceSinceNs: 0n, leaseMs: 1 } as const;
        const members = { tracked: true, ackedEpoch: acked, tokenHash: token, peer: process };
        scope.add({ id, name: "app", ...presence, ...members });
        const known = { id, token, before: undefined, process, acked };
        all.push({ ...known, isConnected: true, isSpent: false });
      };
      for (const step of steps) {
        if (step.do === "join") join(peerOf(step.process), scope.epoch);
        else if (step.do === "bump") scope.apply({ ...NOWHERE, ...scope.next(0) });
        else if (step.do === "kill") host.kill(processes[step.process] as ProcessIdentity);
        else if (step.do === "return") comeBack(step.token, peerOf(step.process));
        else {
          const one = all[step.pick % (all.length || 1)];
          if (one === undefined) continue;
          if (step.do === "ack") {
            scope.ack(one.id, scope.generation, scope.epoch, 0n);
            one.acked = scope.epoch;
          } else {
            scope.setPresence(one.id, "held", 0n);
            one.isConnected = false;
          }
        }
        assertEquals(scope.counts.tracked, all.length, "somebody was removed");
        const late = all.filter(({ acked }) => acked !== scope.epoch).map(({ id }) => id).sort();
        assertEquals([...scope.late()].map(({ id }) => id).sort(), late);
      }

      function comeBack(at: number, peer: ProcessIdentity | undefined): void {
        const token = tokens[at % (tokens.length || 1)];
        if (token === undefined) return;
        const resumption = judgeResumption(scope, { tokenHash: token, peer, by: undefined }, host);
        const expected = naive(all, token, peer, (process) => host.isGone(process));
        if (resumption.kind === "stranger") {
          assertEquals([resumption.kind], expected);
          return join(peer, -1n);
        }
        const { kind, watcher: { id } } = resumption;
        assertEquals([kind, id], expected);
        const one = all.find((known) => known.id === id) as Known;
        const superseded = kind === "supersede" ? `s${tokens.length}` : undefined;
        if (superseded !== undefined) all.push({ ...one, id: superseded, isSpent: true });
        // It says the truth of what it has confirmed, or what a clone would say.
        const isCurrent = isUpToDate(scope, scope.watcher(id), one.acked);
        const next = mint();
        const members = { tokenHash: next, previousTokenHash: token, name: "app", leaseMs: 1 };
        const change = { ...members, owner: undefined, peer, isUpToDate: isCurrent };
        scope.resume(id, change, 0n, superseded);
        Object.assign(one, {
          ...{ token: next, before: token, process: peer, isConnected: true, isSpent: false },
          ...isCurrent ? {} : { acked: -1n },
        });
      }
    }),
    { numRuns: 2_000 },
  );
});
