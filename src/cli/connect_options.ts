import { text } from "./options.ts";

/** The options that say how to reach the daemon. */
export const CONNECT_OPTIONS = {
  socket: text(
    "path",
    "the daemon's unix socket; INNKEEPER_SOCKET [RUN/private/innkeeper.sock, RUN as for serve]",
  ),
  url: text("url", "its TCP address instead; INNKEEPER_URL"),
  "token-file": text(
    "file",
    "with --url: the token is its first one; INNKEEPER_TOKEN holds one itself",
  ),
} as const;

/** What a command line says of how to reach the daemon. */
export type ConnectFlags = { readonly [Name in keyof typeof CONNECT_OPTIONS]?: string };
