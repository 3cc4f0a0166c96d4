import { assert, assertEquals } from "@std/assert";
import { PAGE_BYTES } from "../../../src/core/limits.ts";
import type { V86Engine } from "../../../src/engines/v86/engine.ts";
import { V86Engines } from "../../../src/engines/v86/engines.ts";
import { HELLO } from "../../support/guest_programs.ts";

const IDENTITY = { generation: 7, epoch: 1n, unique: "01".repeat(16) };

async function runs(engine: V86Engine): Promise<void> {
  try {
    await engine.initialize({
      memoryBytes: 16 * PAGE_BYTES,
      start: 0x1000,
      load: [{ at: 0x1000, bytes: HELLO }],
      identity: IDENTITY,
    });
    assertEquals(await engine.run(60_000), { reason: "notify", value: 0x600d });
  } finally {
    engine.close();
  }
}

Deno.test("V86Engines.make() gives each guest an engine of its own, the spare one too", async () => {
  using engines = new V86Engines();
  const first = engines.make();
  await runs(first);
  await new Promise((resolve) => setTimeout(resolve, 400));
  const [second, third] = [engines.make(), engines.make()];
  assert(second !== third);
  await Promise.all([runs(second), runs(third)]);
  assert(!first.isUsable);
});

Deno.test("V86Engines.make() after its end starts nothing ahead of time", async () => {
  const engines = new V86Engines();
  engines[Symbol.dispose]();
  await runs(engines.make());
});
