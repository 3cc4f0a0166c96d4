import { CACHE_BYTES_DEFAULT } from "../core/limits.ts";
import type { Environment } from "./environment.ts";
import type { Options, OptionSpec, OptionValues } from "./options.ts";

const FLAGS = {
  state: {
    kind: "text",
    value: "DIR",
    help: "ledger, cache files, journals, snapshots, token " +
      "[$XDG_STATE_HOME/innkeeper, /var/lib/innkeeper as root]",
  },
  run: {
    kind: "text",
    value: "DIR",
    help: "published pages, and private/ with the socket " +
      "[$XDG_RUNTIME_DIR/innkeeper, /run/innkeeper as root]",
  },
  listen: {
    kind: "texts",
    value: "ADDR",
    help:
      "unix:PATH[,permissions=a+b:PATTERN], vsock:PORT or HOST:PORT, port 0 picks one; replaces the " +
      "defaults " +
      "[unix:RUN/private/innkeeper.sock and 127.0.0.1:8787]",
  },
  "tls-cert": { kind: "text", value: "FILE", help: "certificate for the TCP listeners" },
  "tls-key": { kind: "text", value: "FILE", help: "its key" },
  "insecure-listen": { kind: "switch", help: "allow TCP beyond loopback without TLS" },
  "allow-host": {
    kind: "texts",
    value: "NAME",
    help: "accept this Host header over TCP, beside localhost, 127.0.0.1 and [::1]",
  },
  "token-file": {
    kind: "text",
    value: "FILE",
    help:
      "a line each: TOKEN[ name=NAME][ GRANT,GRANT], a TOKEN alone may do all; read again on SIGHUP " +
      "[STATE/token, made on first start]",
  },
  root: {
    kind: "texts",
    value: "NAME=PATH[:ro][:noatime]",
    help: "a folder in which inodes may be opened",
  },
  remote: {
    kind: "texts",
    value: "PREFIX",
    help: "a URL prefix from which inodes may be opened, such as https://images.example/v1/",
  },
  "cache-bytes": {
    kind: "text",
    value: "N",
    help: `budget of cached pages [${CACHE_BYTES_DEFAULT}]`,
  },
  mount: { kind: "text", value: "DIR", help: "show the parts as files below this folder [off]" },
  "mount-as": {
    kind: "texts",
    value: "UID=GRANT[+GRANT]",
    help: "lets another user of the host use the files; without it only the daemon's own may",
  },
  "host-root": {
    kind: "text",
    value: "DIR",
    help: "prefix under which /sys and /dev are looked up [/]",
  },
  "vhost-store": { kind: "text", value: "DIR", help: "Kata's vhost-user store [off]" },
  ledger: { kind: "text", value: "URL", help: "sqlite: in the state folder [sqlite:]" },
  "accept-loss": {
    kind: "switch",
    help:
      "start although the state is damaged or its ledger is gone; what is damaged is kept aside",
  },
} as const satisfies Options;

type FlagName = keyof typeof FLAGS;
const ALL = Object.entries(FLAGS) as [FlagName, OptionSpec][];

/** What `serve` was given; a flag that was left out has the value of its environment variable. */
export type ServeFlags = OptionValues<typeof FLAGS>;

/** The environment variable that stands for a flag. */
export function envName(flag: string): string {
  return `INNKEEPER_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/** The flags of `serve` as its help shows them: each with its environment variable. */
export const SERVE_OPTIONS = Object.fromEntries(
  ALL.map(([name, flag]) => [name, { ...flag, help: `${flag.help}; ${envName(name)}` }]),
) as { readonly [Name in FlagName]: typeof FLAGS[Name] };

/** Adds what the environment says of flags that were left out. */
export function withEnvironment(given: ServeFlags, env: Environment["env"]): ServeFlags {
  return Object.fromEntries(
    ALL.map(([name, { kind }]) => [name, given[name] ?? valueOf(kind, env(envName(name)))]),
  );
}

/** The value of a flag in an environment variable. */
function valueOf(
  kind: OptionSpec["kind"],
  text = "",
): string | readonly string[] | boolean | undefined {
  if (kind === "switch") return !["", "0", "false"].includes(text);
  if (text === "") return undefined;
  return kind === "texts" ? text.trim().split(/\s+/) : text;
}
