import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { PC_STATE_VERSION } from "../../../src/engines/v86/pc_guest.ts";
import { NINEP_CALLS_MAX, NINEP_MESSAGE_BYTES_MAX } from "../../../src/core/limits.ts";
import type { GuestStart } from "../../../src/core/ports/guest_engine.ts";
import type { PcDevices } from "../../../src/core/ports/pc_devices.ts";
import { V86Engine } from "../../../src/engines/v86/engine.ts";
import denoJson from "../../../deno.json" with { type: "json" };
import { echoStart, flushingStart, Lines, ninepStart } from "../../support/pc_program.ts";

const LONG_MS = 60_000;
const SOON_MS = 20_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function withPc(
  fn: (engine: V86Engine, lines: Lines) => Promise<void>,
): Promise<void> {
  const engine = new V86Engine();
  const lines = new Lines();
  engine.serve(lines);
  try {
    await engine.initialize(echoStart());
    await deadline(fn(engine, lines), SOON_MS);
  } finally {
    engine.close();
  }
}

Deno.test("V86Engine as a PC has a serial line in both directions, in order", async () => {
  await withPc(async (engine, lines) => {
    const run = engine.run(LONG_MS);
    const text = "0123456789".repeat(50);
    await engine.send(0, bytes(text));
    await engine.send(0, bytes("."));
    await lines.until(`${text}.`);
    engine.interrupt();
    assertEquals(await run, { reason: "interrupted" });
  });
});

Deno.test("V86Engine as a PC takes what is sent only while it runs", async () => {
  await withPc(async (engine, lines) => {
    let isTaken = false;
    const sent = engine.send(0, bytes("ab")).then(() => isTaken = true);
    await engine.registers();
    assert(!isTaken);
    const run = engine.run(LONG_MS);
    await sent;
    await lines.until("ab");
    engine.interrupt();
    assertEquals(await run, { reason: "interrupted" });
  });
});

Deno.test("V86Engine as a PC ends at HLT without interrupts, at its reset line, and at a triple fault", async () => {
  const cases = [
    ["h", { reason: "dead", deathReason: "powered off" }],
    ["r", { reason: "reboot" }],
    ["t", { reason: "dead", deathReason: "unhandled trap at 0x10002c" }],
  ] as const;
  for (const [letter, exit] of cases) {
    await withPc(async (engine) => {
      void engine.send(0, bytes(letter)).catch(() => {});
      assertEquals(await engine.run(LONG_MS), exit);
      assertEquals(await engine.run(LONG_MS), exit);
    });
  }
});

Deno.test("V86Engine as a PC shows its generation, and a clone its own, also while it runs", async () => {
  await withPc(async (engine, lines) => {
    const run = engine.run(LONG_MS);
    await engine.send(0, bytes("g"));
    await lines.until("7");
    await engine.identify({ generation: 56, epoch: 2n, unique: "02".repeat(16) });
    await engine.send(0, bytes("g"));
    await lines.until("8");
    engine.interrupt();
    await run;
    const image = await engine.capture();
    const clone = new V86Engine();
    const cloned = new Lines();
    clone.serve(cloned);
    try {
      await clone.restore(image, { generation: 57, epoch: 3n, unique: "03".repeat(16) });
      const going = clone.run(LONG_MS);
      await clone.send(0, bytes("xg"));
      await cloned.until("x9");
      clone.interrupt();
      await going;
    } finally {
      clone.close();
    }
  });
});

Deno.test("V86Engine as a PC names the version of v86 that is pinned in its images", () => {
  assertEquals(`npm:v86@${PC_STATE_VERSION.replace("v86 ", "")}`, denoJson.imports.v86);
});

Deno.test("V86Engine as a PC refuses an image of another version of v86", async () => {
  await withPc(async (engine) => {
    const image = await engine.capture();
    const other = new V86Engine();
    try {
      const vcpu = { ...image.vcpu as object, version: "v86 0.0.0" };
      const identity = { generation: 1, epoch: 1n, unique: "01".repeat(16) };
      const message = await other.restore({ ...image, vcpu }, identity).then(
        () => "",
        (error) => String(error),
      );
      assert(message.includes("the snapshot is of v86 0.0.0"), message);
    } finally {
      other.close();
    }
  });
});

/** How many calls a guest has made after a while to a host that does not answer. */
async function requestsOf(start: GuestStart, method: "flushDisk" | "serve9p"): Promise<number> {
  let requests = 0;
  const engine = new V86Engine();
  const never = (): Promise<never> => {
    requests++;
    return new Promise(() => {});
  };
  engine.serve({ ...new Lines(), written: () => {}, [method]: never } as unknown as PcDevices);
  try {
    await engine.initialize(start);
    assertEquals(await deadline(engine.run(500), SOON_MS), { reason: "budget" });
    return requests;
  } finally {
    engine.close();
  }
}

Deno.test("V86Engine as a PC asks one thing at a time for a disk, however fast its guest is", async () => {
  assertEquals(await requestsOf(flushingStart(), "flushDisk"), 1);
});

Deno.test("V86Engine as a PC asks for so many messages of 9P at once, and for none that is too long", async () => {
  assertEquals(await requestsOf(ninepStart(11), "serve9p"), NINEP_CALLS_MAX);
  assertEquals(await requestsOf(ninepStart(NINEP_MESSAGE_BYTES_MAX + 1), "serve9p"), 0);
});
