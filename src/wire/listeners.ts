import { z } from "@hono/zod-openapi";
import { NAME_CHARS_MAX, SOCKET_PATH_BYTES_MAX } from "../core/limits.ts";
import { Name, pageQuery, pageView, refuse } from "./scalars.ts";

/** The rights that a listener's principal can have on its scope. */
const SCOPE_RIGHTS = ["read", "watch", "bump", "write"] as const;

const PATH_HINT = "it must be absolute, without empty parts, `.` and `..`";

const SocketPath = z.string().superRefine((path, ctx) => {
  const parts = path.split("/").slice(1);
  const isPlain = path.startsWith("/") && !path.includes("\0") &&
    parts.every((part) => part !== "" && part !== "." && part !== "..");
  const bytes = new TextEncoder().encode(path).byteLength;
  if (isPlain && bytes <= SOCKET_PATH_BYTES_MAX) return;
  refuse(
    ctx,
    isPlain
      ? `path must be ${SOCKET_PATH_BYTES_MAX} bytes at most, as programs connect by it: ` +
        `received ${bytes}`
      : `path cannot be used: ${PATH_HINT}: received ${JSON.stringify(path.slice(0, 120))}`,
    "value-not-allowed",
  );
}).openapi({
  pattern: "^/",
  example: "/srv/vms/7/v.sock_1024",
  description: `Where programs connect; ${PATH_HINT}`,
});

/** What a listener is to be. */
export const ListenerBody = z.strictObject({
  path: SocketPath,
  scope: Name.openapi({ description: "The one scope that whoever connects has rights on" }),
  permissions: z.array(z.enum(SCOPE_RIGHTS)).min(1).max(SCOPE_RIGHTS.length)
    .default(["read", "watch"]).openapi({
      description: "The rights that whoever connects has on the scope",
      example: ["read", "watch"],
    }),
  mode: z.string().regex(/^0[0-7]{3}$/).default("0600").openapi({
    description: "Who may connect: the permission bits of the socket",
    example: "0600",
  }),
}).openapi("ListenerRequest", { description: "A socket for one scope" });

/** A listener as the API shows it. */
export const ListenerView = z.object({
  name: Name.describe("Its name"),
  path: z.string().openapi({ example: "/srv/vms/7/v.sock_1024", description: "Where it is" }),
  scope: Name.describe("The scope that it has rights on"),
  permissions: z.array(z.string()).openapi({
    description: "Its rights there",
    example: ["read", "watch"],
  }),
  mode: z.string().openapi({ description: "Who may connect", example: "0600" }),
  principal: z.string().openapi({
    description: "Whom it lets act: the name in history, and the owner of its watchers",
    example: "listener:vm-7",
  }),
  listening: z.boolean().describe("Whether it accepts connections"),
  reason: z.string().optional().openapi({
    description: "Why it does not",
    example: "Cannot listen on /srv/vms/7/v.sock_1024: its folder is not there; make it first",
  }),
}).openapi("Listener", { description: "A socket that was made at run time" });

/** A page of listeners. */
export const ListenerList = pageView(ListenerView)
  .openapi("ListenerList", { description: "A page of listeners" });

/** `?limit=&cursor=` of a list of listeners. */
export const ListenersQuery = z.strictObject(pageQuery(NAME_CHARS_MAX));

/** `{l}`, a listener. */
export const ListenerParam = z.object({ l: Name.describe("Name of the listener") });
