import { assert, assertEquals } from "@std/assert";
import Ajv2020 from "ajv/dist/2020.js";
import { Fault } from "../../src/core/faults.ts";
import { gapText, refusalText } from "../../src/wire/console_frames.ts";
import { asyncApi } from "../../src/wire/asyncapi.ts";

// deno-lint-ignore no-explicit-any -- the document is read as it comes
const document: any = asyncApi("1.2.3");

Deno.test("asyncApi() names every frame of the protocol, each with a schema that compiles", () => {
  const ajv = new Ajv2020.default({ strict: false });
  const { watchToServer, watchToClient } = document.channels;
  assertEquals(
    Object.keys(watchToServer.messages).sort(),
    ["ack", "attach", "drain", "fail", "ping", "pong", "quiesced", "unwatch", "watch"],
  );
  assert(Object.keys(watchToClient.messages).includes("generation"));
  for (const { payload } of Object.values<{ payload: object }>(watchToServer.messages)) {
    ajv.compile(payload);
  }
});

Deno.test("asyncApi() describes what the daemon says on a console", () => {
  const ajv = new Ajv2020.default({ strict: false });
  const { gap, error } = document.channels.console.messages;
  assert(ajv.compile(gap.payload)(JSON.parse(gapText(0, 7))));
  assert(ajv.compile(error.payload)(JSON.parse(refusalText(new Fault("console-input-full", "")))));
});

Deno.test("asyncApi() accepts what a client may send and refuses what it may not", () => {
  const ajv = new Ajv2020.default({ strict: false });
  const ack = ajv.compile(document.channels.watchToServer.messages.ack.payload);
  const frame = { type: "ack", id: 1, scope: "vm-7", generation: 1 };
  assert(
    ack(frame) && ack({ ...frame, epoch: "18446744073709551615" }) && ack({ ...frame, epoch: 7 }),
  );
  for (const wrong of [{ ...frame, extra: 1 }, { ...frame, generation: -1 }, { type: "ack" }]) {
    assert(!ack(wrong), JSON.stringify(wrong));
  }
});

Deno.test("asyncApi() says what each frame and each member is for, with an example that fits", () => {
  const ajv = new Ajv2020.default({ strict: false });
  const undescribed: string[] = [];
  // deno-lint-ignore no-explicit-any
  const members = (schema: any, place: string): void => {
    for (
      const [name, member] of Object.entries<{ description?: string }>(schema.properties ?? {})
    ) {
      if ((member.description ?? "") === "") undescribed.push(`${place}.${name}`);
      members(member, `${place}.${name}`);
    }
  };
  let frames = 0;
  for (
    const [channel, { title, description, messages }] of Object.entries<typeof document>(
      document.channels,
    )
  ) {
    assert(title && description, channel);
    for (
      const [name, { summary, payload, examples, contentType }] of Object.entries<typeof document>(
        messages,
      )
    ) {
      assert(summary, `${channel} ${name}`);
      members(payload, name);
      if (contentType !== "application/json") continue;
      const fits = ajv.compile(payload);
      assert(fits(examples[0].payload), `${channel} ${name}: ${ajv.errorsText(fits.errors)}`);
      frames++;
    }
  }
  assertEquals(undescribed, []);
  assert(frames > 25, `only ${frames} frames were found`);
  assertEquals(
    Object.values<{ protocol: string }>(document.servers).map(({ protocol }) => protocol),
    ["ws", "wss"],
  );
});
