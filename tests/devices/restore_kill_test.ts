import { assert, assertEquals } from "@std/assert";
import { openOn, stateNumber } from "../support/device_restorer.ts";
import { SeededRandom, testSeed } from "../support/random.ts";

const ROUNDS = 8;
const KILL_WITHIN_MS = 120;

Deno.test("DeviceRegistry.restore() that is killed leaves the old or the new registry whole", async () => {
  const seed = testSeed();
  const random = new SeededRandom(seed);
  const path = `${await Deno.makeTempDir({ prefix: "innkeeper-" })}/ledger.sqlite`;
  const { registry, ledger } = await openOn(path);
  await registry.restore(stateNumber(1n), "load");
  await ledger.close();
  const seen = new Set<bigint>();
  for (let round = 0; round < ROUNDS; round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "tests/support/device_restorer.ts", path],
      cwd: new URL("../..", import.meta.url),
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    assert(!(await reader.read()).done, "it restores");
    await new Promise((resolve) => setTimeout(resolve, random.below(KILL_WITHIN_MS)));
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
    const { registry, ledger } = await openOn(path);
    const { state } = registry.save();
    await ledger.close();
    const which = state.anonymous.devices[0]?.last ?? 0n;
    seen.add(which);
    assertEquals(state, stateNumber(which), `INNKEEPER_TEST_SEED=${seed}, round ${round}`);
  }
  assert([...seen].every((which) => which === 1n || which === 2n));
});
