import { z } from "@hono/zod-openapi";
import { CONSOLE_FRAMES } from "./console_frames.ts";
import { SERVER_FRAMES } from "./server_frames.ts";
import { CONSOLE_PROTOCOL, SYSGENID_PROTOCOL, WATCH_PROTOCOL } from "./subprotocols.ts";
import { ClientFrame } from "./watch_frames.ts";

/** The WebSocket's side of the API as an AsyncAPI 3.0 document. */
export function asyncApi(version: string): Record<string, unknown> {
  const clientFrames = Object.fromEntries(
    ClientFrame.options.map((schema) => [schema.shape.type.value, message(schema)]),
  );
  const serverFrames = Object.fromEntries(
    Object.entries(SERVER_FRAMES).map(([name, schema]) => [name, message(schema)]),
  );
  const consoleFrames = Object.fromEntries(
    Object.entries(CONSOLE_FRAMES).map(([name, schema]) => [name, message(schema)]),
  );
  return {
    asyncapi: "3.1.0",
    info: { title: "Innkeeper", version, license: { name: "MIT" } },
    defaultContentType: "application/json",
    channels: {
      watchToServer: { address: "/v1/watch", ...described, messages: clientFrames },
      watchToClient: { address: "/v1/watch", ...described, messages: serverFrames },
      console: { address: "/v1/guests/{guest}/console", ...console, messages: consoleFrames },
    },
    operations: {
      takeFrames: { action: "receive", channel: { $ref: "#/channels/watchToServer" } },
      sendConsole: { action: "send", channel: { $ref: "#/channels/console" } },
      sendFrames: { action: "send", channel: { $ref: "#/channels/watchToClient" } },
    },
  };
}

const described = {
  description: `Subprotocol \`${WATCH_PROTOCOL}\`: text frames of JSON. Subprotocol ` +
    `\`${SYSGENID_PROTOCOL}\` on the same address has frames of 4 bytes instead: the generation, ` +
    "native-endian, sent until it comes back; an empty frame says that it was taken.",
};

const console = {
  parameters: { guest: { description: "Id of a Linux guest" } },
  description: `Subprotocol \`${CONSOLE_PROTOCOL}\`: binary frames are the bytes of the serial ` +
    "line, both ways. Text frames come from the daemon only: bytes that are no longer kept, and " +
    "input that was not taken. `?since=` is the offset of the first byte wanted.",
};

function message(schema: z.ZodType): { payload: unknown } {
  // The form that a client may send: 64-bit numbers also as text, and defaults left out.
  return { payload: z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) };
}
