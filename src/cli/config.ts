import { parseArgs } from "node:util";
import { resolve } from "node:path/posix";
import { CACHE_BYTES_DEFAULT, CACHE_BYTES_MIN } from "../core/limits.ts";
import { parsePermissions, type Permission } from "../access/permissions.ts";
import { UsageError } from "./exit.ts";

/** Where the daemon listens. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string; readonly permissions: readonly Permission[] }
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number };

/** A folder in which inodes may be opened. */
export interface RootConfig {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly noatime: boolean;
}

/** Everything that the flags of `serve` say. */
export interface Config {
  readonly state: string;
  readonly run: string;
  readonly listen: readonly ListenAddress[];
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly allowHosts: readonly string[];
  readonly tokenFile: string;
  readonly roots: readonly RootConfig[];
  /** URL prefixes from which inodes may be opened; each ends in a slash. */
  readonly remotes: readonly string[];
  readonly cacheBytes: number;
  readonly hostRoot: string;
  readonly vhostStore: string | undefined;
}

/** What flags that are left out take from the environment. */
export interface Environment {
  readonly env: (name: string) => string | undefined;
  readonly cwd: () => string;
  readonly isRoot: () => boolean;
}

interface Flag {
  readonly value?: string;
  readonly many?: true;
  readonly help: string;
}

const FLAGS = {
  state: {
    value: "DIR",
    help: "ledger, cache files, journals, snapshots, token " +
      "[$XDG_STATE_HOME/innkeeper, /var/lib/innkeeper as root]",
  },
  run: {
    value: "DIR",
    help: "published pages, and private/ with the socket " +
      "[$XDG_RUNTIME_DIR/innkeeper, /run/innkeeper as root]",
  },
  listen: {
    value: "ADDR",
    many: true,
    help: "unix:PATH[,scopes=a+b] or HOST:PORT, port 0 picks one; replaces the defaults " +
      "[unix:RUN/private/innkeeper.sock and 127.0.0.1:8787]",
  },
  "tls-cert": { value: "FILE", help: "certificate for the TCP listeners" },
  "tls-key": { value: "FILE", help: "its key" },
  "insecure-listen": { help: "allow TCP beyond loopback without TLS" },
  "allow-host": {
    value: "NAME",
    many: true,
    help: "accept this Host header over TCP, beside localhost, 127.0.0.1 and [::1]",
  },
  "token-file": {
    value: "FILE",
    help: "one a line: TOKEN[ permission,permission], none for all; read again on SIGHUP " +
      "[STATE/token, made on first start]",
  },
  root: {
    value: "NAME=PATH[:ro][:noatime]",
    many: true,
    help: "a folder in which inodes may be opened",
  },
  remote: {
    value: "PREFIX",
    many: true,
    help: "a URL prefix from which inodes may be opened, such as https://images.example/v1/",
  },
  "cache-bytes": { value: "N", help: `budget of cached pages [${CACHE_BYTES_DEFAULT}]` },
  "host-root": { value: "DIR", help: "prefix under which /sys and /dev are looked up [/]" },
  "vhost-store": { value: "DIR", help: "Kata's vhost-user store [off]" },
  ledger: { value: "URL", help: "sqlite: in the state folder [sqlite:]" },
} as const satisfies Record<string, Flag>;

type FlagName = keyof typeof FLAGS;

/** The environment variable that stands for a flag. */
export function envName(flag: string): string {
  return `INNKEEPER_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/** The help text of `serve`. */
export function serveHelp(): string {
  const rows = Object.entries(FLAGS as Record<FlagName, Flag>).map(([name, flag]) => {
    const form = `--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
    return `  ${form}${flag.many ? " (repeatable)" : ""}\n      ${flag.help}; ${envName(name)}`;
  });
  return `innkeeper serve [flags]

Runs the daemon until SIGTERM or SIGINT. Prints one line of JSON when it is ready; logs go to
standard error. Each flag has an environment twin, shown last; several values are parted by
blanks there.

${rows.join("\n")}
  --help
      this text

Exit status: 0 clean, 2 wrong usage, 3 state or run folder in use or of a newer version,
4 cannot listen.
`;
}

/**
 * Reads the flags of `serve`.
 *
 * @throws {UsageError} naming the flag and the value
 */
export function parseConfig(args: readonly string[], around: Environment): Config {
  const flags = readFlags(args, around.env);
  const path = (text: string): string => resolve(around.cwd(), text);
  const state = path(flags.one("state") ?? defaultFolder("XDG_STATE_HOME", "/var/lib", around));
  const run = path(flags.one("run") ?? defaultFolder("XDG_RUNTIME_DIR", "/run", around));
  const vhostStore = flags.one("vhost-store");
  requireSqlite(flags.one("ledger"));
  const tls = tlsOf(flags.one("tls-cert"), flags.one("tls-key"));
  const listen = flags.many("listen") ??
    [`unix:${run}/private/innkeeper.sock`, "127.0.0.1:8787"];
  const addresses = listen.map((text) => parseListen(text, path));
  if (tls === undefined && !flags.has("insecure-listen")) addresses.forEach(requireLoopback);
  return {
    state,
    run,
    listen: addresses,
    tls,
    allowHosts: flags.many("allow-host") ?? [],
    tokenFile: path(flags.one("token-file") ?? `${state}/token`),
    roots: requireDistinct((flags.many("root") ?? []).map((text) => parseRoot(text, path))),
    remotes: (flags.many("remote") ?? []).map(parseRemote),
    cacheBytes: parseCacheBytes(flags.one("cache-bytes")),
    hostRoot: path(flags.one("host-root") ?? "/"),
    vhostStore: vhostStore === undefined ? undefined : path(vhostStore),
  };
}

interface ReadFlags {
  has(flag: FlagName): boolean;
  one(flag: FlagName): string | undefined;
  many(flag: FlagName): readonly string[] | undefined;
}

function readFlags(args: readonly string[], env: Environment["env"]): ReadFlags {
  const options = Object.fromEntries(
    Object.entries(FLAGS as Record<FlagName, Flag>).map(([name, { value, many = false }]) => [
      name,
      { type: value === undefined ? "boolean" as const : "string" as const, multiple: many },
    ]),
  );
  let values: Record<string, string | boolean | (string | boolean)[] | undefined>;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const twin = (flag: FlagName): string | undefined => env(envName(flag)) || undefined;
  return {
    has: (flag) => values[flag] === true || !["", "0", "false"].includes(twin(flag) ?? ""),
    one: (flag) => values[flag] as string | undefined ?? twin(flag),
    many: (flag) => values[flag] as string[] | undefined ?? twin(flag)?.trim().split(/\s+/),
  };
}

function defaultFolder(variable: string, asRoot: string, around: Environment): string {
  const base = around.env(variable) ||
    (around.isRoot()
      ? asRoot
      : variable === "XDG_STATE_HOME"
      ? `${around.env("HOME") ?? "/tmp"}/.local/state`
      : undefined);
  if (base !== undefined) return `${base}/innkeeper`;
  throw new UsageError(`Cannot choose a run folder: ${variable} is not set; give --run DIR`);
}

function parseListen(text: string, path: (text: string) => string): ListenAddress {
  if (text.startsWith("unix:")) {
    const [socket = "", ...options] = text.slice("unix:".length).split(",");
    if (socket === "") throw new UsageError(`Cannot listen on "${text}": the path is missing`);
    let permissions: readonly Permission[] = ["admin"];
    for (const option of options) {
      if (!option.startsWith("scopes=")) {
        throw new UsageError(`Cannot listen on "${text}": unknown option "${option}"`);
      }
      try {
        permissions = parsePermissions(option.slice("scopes=".length), "+");
      } catch (error) {
        throw new UsageError(`Cannot listen on "${text}": ${(error as Error).message}`);
      }
    }
    return { kind: "unix", path: path(socket), permissions };
  }
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new UsageError(`Cannot listen on "${text}": it must be unix:PATH or HOST:PORT`);
  }
  return { kind: "tcp", hostname: (match[1] as string).replace(/^\[|\]$/g, ""), port };
}

function requireLoopback(address: ListenAddress): void {
  if (address.kind === "unix") return;
  const { hostname } = address;
  if (hostname === "localhost" || hostname === "::1" || /^127\.[0-9.]+$/.test(hostname)) return;
  throw new UsageError(
    `Cannot listen on ${hostname} without TLS: give --tls-cert and --tls-key, or ` +
      "--insecure-listen if the network in between is yours alone",
  );
}

function tlsOf(certFile: string | undefined, keyFile: string | undefined): Config["tls"] {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  throw new UsageError("Cannot use TLS: --tls-cert and --tls-key go together");
}

function parseRoot(text: string, path: (text: string) => string): RootConfig {
  const match = /^([a-z0-9][a-z0-9._-]{0,63})=([^:]+)((?::(?:ro|noatime))*)$/.exec(text);
  if (match === null) {
    throw new UsageError(`Cannot use root "${text}": it must be NAME=PATH[:ro][:noatime]`);
  }
  const [, name, folder, options] = match as unknown as [string, string, string, string];
  return {
    name,
    path: path(folder),
    readOnly: options.split(":").includes("ro"),
    noatime: options.split(":").includes("noatime"),
  };
}

/** A prefix ends in a slash, so that `https://a/v1` does not let `https://a/v10` in. */
function parseRemote(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new UsageError(`Cannot use remote "${text}": it must be an http or https URL prefix`);
  }
  return url.href.endsWith("/") ? url.href : `${url.href}/`;
}

function requireDistinct(roots: readonly RootConfig[]): readonly RootConfig[] {
  for (const [index, { name }] of roots.entries()) {
    if (roots.findIndex((root) => root.name === name) !== index) {
      throw new UsageError(`Cannot use root "${name}" twice: names of roots are distinct`);
    }
  }
  return roots;
}

function parseCacheBytes(text: string | undefined): number {
  if (text === undefined) return CACHE_BYTES_DEFAULT;
  const bytes = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
  if (bytes >= CACHE_BYTES_MIN) return bytes;
  throw new UsageError(
    `Cannot use --cache-bytes "${text}": it must be a whole number from ${CACHE_BYTES_MIN}`,
  );
}

function requireSqlite(ledger: string | undefined): void {
  if (ledger === undefined || ledger === "sqlite:") return;
  throw new UsageError(`Cannot use --ledger "${ledger}": this version keeps it in sqlite: only`);
}
