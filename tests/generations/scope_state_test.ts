import { assertEquals } from "@std/assert";
import type { Bump } from "../../src/generations/bump.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import type { Scope, ScopeState } from "../../src/generations/scope.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import type { Watcher } from "../../src/generations/watcher.ts";
import { ScopesBench } from "../support/scopes.ts";

/** Each line would change a scope without the ledger. `deno check` fails if one of them compiles. */
function pastTheLedger({ state, pages }: LiveScope, bump: Bump, watcher: Watcher): void {
  // @ts-expect-error: a bump goes through LiveScope.bump()
  state.apply(bump);
  // @ts-expect-error: options go through LiveScope.configure()
  state.options = DEFAULT_OPTIONS;
  // @ts-expect-error: options are replaced as a whole
  state.options.onLost = "open";
  // @ts-expect-error: a quiesce goes through LiveScope.beginQuiesce()
  state.beginQuiesce({ reason: "snapshot", maxMs: 1, atNs: 0n });
  // @ts-expect-error: a quiesce ends through LiveScope.unquiesce()
  state.endQuiesce();
  // @ts-expect-error: a watcher registers through ScopeWatchers.watch() or put()
  state.add(watcher);
  // @ts-expect-error: tracking goes through ScopeWatchers.track()
  state.track("w", true, 0n);
  // @ts-expect-error: an ack goes through ScopeWatchers.ack()
  state.ack("w", 1, undefined, 0n);
  // @ts-expect-error: a failure goes through ScopeWatchers.fail()
  state.fail("w", 1, "no entropy", 0n);
  // @ts-expect-error: a release goes through ScopeWatchers.release()
  state.release("w", 0n);
  // @ts-expect-error: a watcher that is read cannot be changed
  state.watcher("w").ackedEpoch = 1n;
  // @ts-expect-error: a page shows what LiveScope.bump() has committed
  pages.store(bump);
  // @ts-expect-error: nor can one be written by hand
  pages.sysgenid.write(0, new Uint8Array(4));
  // @ts-expect-error: the state is not a Scope, so nobody can pass it on as one
  const scope: Scope = state;
  void scope;
}

/** Everything that {@linkcode Scope} has and {@linkcode ScopeState} hides. */
type Hidden = Exclude<keyof Scope, keyof ScopeState>;
const hidden: Readonly<Record<Hidden, true>> = {
  ...{ apply: true, add: true, requireRoom: true, track: true, ack: true, fail: true },
  ...{ markNotified: true, setPresence: true, resume: true, change: true, release: true },
  ...{ beginQuiesce: true, endQuiesce: true, markQuiesced: true, configure: true },
  ...{ brokenBy: true, requireCurrent: true, changeToken: true, msSince: true },
};

Deno.test("LiveScope.state shows the scope, and its type hides every call that changes it", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  await scope.bump({ reason: "restore", by: "test" });
  assertEquals(scope.state.generation, 1);
  assertEquals(Object.keys(hidden).length, 19);
  assertEquals(typeof pastTheLedger, "function");
});
