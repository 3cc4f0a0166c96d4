import { z } from "@hono/zod-openapi";
import { CONSOLE_FRAMES } from "./console_frames.ts";
import {
  CLIENT_FRAME_HELP,
  CONSOLE_FRAME_HELP,
  type FrameHelp,
  MEMBER_HELP,
  SERVER_FRAME_HELP,
} from "./frame_help.ts";
import { SERVER_FRAMES } from "./server_frames.ts";
import { CONSOLE_PROTOCOL, SYSGENID_PROTOCOL, WATCH_PROTOCOL } from "./subprotocols.ts";
import { ClientFrame } from "./watch_frames.ts";

const ABOUT =
  "What is said on the WebSockets of Innkeeper. A socket is opened with the token of a " +
  "caller, or by a page of a browser with a ticket of `POST /v1/tickets`; a unix socket needs " +
  "neither. `/openapi.json` describes all that is asked over HTTP.";

/** The WebSockets' side of the API as an AsyncAPI 3.1 document. */
export function asyncApi(version: string): Record<string, unknown> {
  return {
    asyncapi: "3.1.0",
    id: "urn:innkeeper:sockets",
    info: {
      title: "Innkeeper",
      version,
      description: ABOUT,
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
      contact: { name: "Whoever operates this host" },
      tags: [{ name: "generations" }, { name: "guests" }],
    },
    defaultContentType: "application/json",
    servers: { plain: server("ws", "over TCP"), secure: server("wss", "behind TLS") },
    channels: channels(),
    operations: {
      takeFrames: operation("receive", "watchToServer", "Takes the requests of a watcher"),
      sendFrames: operation("send", "watchToClient", "Answers them, and tells of bumps"),
      sendGenerations: operation("send", "sysgenid", "Sends the generation until it comes back"),
      sendConsole: operation("send", "console", "Sends what a guest writes to its console"),
    },
    components: { securitySchemes: SECURITY },
  };
}

const SECURITY = {
  token: {
    type: "http",
    scheme: "bearer",
    description: "A token of the daemon's token file. Not needed over a unix socket",
  },
  ticket: {
    type: "httpApiKey",
    in: "query",
    name: "ticket",
    description: "A ticket from `POST /v1/tickets`, for one WebSocket",
  },
};

function server(protocol: "ws" | "wss", where: string) {
  return {
    host: "{address}",
    protocol,
    description: `The daemon ${where}`,
    variables: {
      address: { default: "localhost:8787", description: "Name or address, with the port" },
    },
    security: [
      { $ref: "#/components/securitySchemes/token" },
      { $ref: "#/components/securitySchemes/ticket" },
    ],
  };
}

function operation(action: "send" | "receive", channel: string, summary: string) {
  return { action, summary, channel: { $ref: `#/channels/${channel}` } };
}

function channels() {
  const clientFrames = Object.fromEntries(
    ClientFrame.options.map((schema) => [schema.shape.type.value, schema]),
  );
  return {
    watchToServer: watch("What a watcher sends", messages(clientFrames, CLIENT_FRAME_HELP)),
    watchToClient: watch("What a watcher is sent", messages(SERVER_FRAMES, SERVER_FRAME_HELP)),
    sysgenid: {
      address: "/v1/watch",
      title: "The generation in 4 bytes",
      description: `Subprotocol \`${SYSGENID_PROTOCOL}\`, with ` +
        "`?scope=&name=&track=&leaseMs=`: frames of 4 bytes, the generation, native-endian, sent " +
        "until it comes back; an empty frame says that it was taken.",
      messages: { generation: binary("A generation, to be sent back once it is adapted to") },
    },
    console: {
      address: "/v1/guests/{guest}/console",
      title: "The console of a guest",
      parameters: { guest: { description: "Id of a Linux guest" } },
      description: `Subprotocol \`${CONSOLE_PROTOCOL}\`: binary frames are the bytes of the ` +
        "serial line, both ways. Text frames come from the daemon only: bytes that are no longer " +
        "kept, and input that was not taken. `?since=` is the offset of the first byte wanted.",
      messages: {
        bytes: binary("Bytes of the serial line"),
        ...messages(CONSOLE_FRAMES, CONSOLE_FRAME_HELP),
      },
    },
  };
}

function watch(title: string, messages: Record<string, unknown>) {
  const description = `Subprotocol \`${WATCH_PROTOCOL}\`: text frames of JSON.`;
  return { address: "/v1/watch", title, description, messages };
}

function binary(summary: string) {
  return {
    name: "bytes",
    title: "Bytes",
    summary,
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary", description: summary },
  };
}

function messages(
  schemas: Readonly<Record<string, z.ZodType>>,
  help: Readonly<Record<string, FrameHelp>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const [summary = "", example = {}] = help[name] ?? [];
      return [name, {
        name,
        title: name,
        summary,
        contentType: "application/json",
        payload: payloadOf(schema),
        examples: [{ name, summary, payload: example }],
      }];
    }),
  );
}

/** The form that a client may send: 64-bit numbers also as text, and defaults left out. */
function payloadOf(schema: z.ZodType): Schema {
  const payload = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema;
  tellMembers(payload);
  return payload;
}

interface Schema {
  description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

function tellMembers(schema: Schema): void {
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const help = MEMBER_HELP[name];
    if (member.description === undefined && help !== undefined) member.description = help;
    tellMembers(member);
  }
}
