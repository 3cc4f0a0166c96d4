import { splitGrants, type UserGrant } from "../access/grants.ts";
import { resolve } from "node:path/posix";
import { CACHE_BYTES_DEFAULT, CACHE_BYTES_MIN, U32_MAX } from "../core/limits.ts";
import type { Environment } from "./environment.ts";
import { UsageError } from "./exit.ts";
import { type ListenAddress, parseListen, requireLoopback } from "./listen_address.ts";
import type { ServeFlags } from "./serve_flags.ts";

/** A folder in which inodes may be opened. */
export interface RootConfig {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly noatime: boolean;
}

/** Where the parts are shown as files, and to whom beside the daemon's own user. */
interface MountConfig {
  readonly folder: string;
  readonly grants: readonly UserGrant[];
  /** Given by the launcher, which has mounted already and keeps the mount. */
  readonly lent?: {
    readonly fd: number;
    readonly folder: string;
    readonly device: string;
    readonly session: string;
    readonly launcher: number;
    readonly beat: number;
  };
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
  /** Go on without what is damaged or gone in the state folder. */
  readonly acceptLoss: boolean;
  readonly mount: MountConfig | undefined;
  readonly hostRoot: string;
  readonly vhostStore: string | undefined;
}

/**
 * Understands what `serve` was given.
 *
 * @throws {UsageError} naming the flag and its value
 */
export function configOf(flags: ServeFlags, environment: Environment): Config {
  const path = (text: string): string => requireNoComma(resolve(environment.cwd(), text));
  const state = path(flags.state ?? defaultState(environment));
  const run = path(flags.run ?? defaultRun(environment));
  const tls = tlsOf(flags["tls-cert"], flags["tls-key"]);
  const listen = flags.listen ?? [`unix:${run}/private/innkeeper.sock`, "127.0.0.1:8787"];
  const addresses = listen.map((text) => parseListen(text, path));
  if (tls === undefined && !flags["insecure-listen"]) addresses.forEach(requireLoopback);
  requireSqlite(flags.ledger);
  return {
    state,
    run,
    listen: addresses,
    tls,
    allowHosts: flags["allow-host"] ?? [],
    tokenFile: path(flags["token-file"] ?? `${state}/token`),
    roots: requireDistinct((flags.root ?? []).map((text) => parseRoot(text, path))),
    remotes: (flags.remote ?? []).map(parseRemote),
    acceptLoss: flags["accept-loss"] === true,
    cacheBytes: parseCacheBytes(flags["cache-bytes"]),
    mount: parseMount(flags.mount === undefined ? undefined : path(flags.mount), flags["mount-as"]),
    hostRoot: path(flags["host-root"] ?? "/"),
    vhostStore: flags["vhost-store"] === undefined ? undefined : path(flags["vhost-store"]),
  };
}

/** Deno separates the paths that it grants by commas, so one in a path would grant others. */
function requireNoComma(path: string): string {
  if (!path.includes(",")) return path;
  throw new UsageError(`Cannot use the path ${path}: it must have no comma`);
}

function defaultState({ env, isRoot }: Environment): string {
  const userState = `${env("HOME") ?? "/tmp"}/.local/state`;
  return `${env("XDG_STATE_HOME") || (isRoot() ? "/var/lib" : userState)}/innkeeper`;
}

/**
 * The run folder where none is named: `$INNKEEPER_RUN`'s own default.
 *
 * @throws {UsageError} when the environment names none
 */
export function defaultRun({ env, isRoot }: Environment): string {
  const base = env("XDG_RUNTIME_DIR") || (isRoot() ? "/run" : undefined);
  if (base !== undefined) return `${base}/innkeeper`;
  throw new UsageError("Cannot choose a run folder: XDG_RUNTIME_DIR is not set; give --run DIR");
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
  const [, name = "", folder = "", options = ""] = match;
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
  throw new UsageError(`Cannot use --ledger "${ledger}": this version takes sqlite: only`);
}

function parseMount(
  folder: string | undefined,
  users: readonly string[] = [],
): MountConfig | undefined {
  if (folder !== undefined) return { folder, grants: requireDistinctUsers(users) };
  if (users.length === 0) return undefined;
  throw new UsageError("Cannot use --mount-as without --mount");
}

function requireDistinctUsers(users: readonly string[]): readonly UserGrant[] {
  const grants = users.map(parseUserGrant);
  const twice = grants.find(({ uid }, at) => grants.findIndex((one) => one.uid === uid) !== at);
  if (twice === undefined) return grants;
  throw new UsageError(`Cannot use --mount-as twice for user ${twice.uid}: join them with "+"`);
}

function parseUserGrant(text: string): UserGrant {
  const [, uid, grants] = /^([0-9]{1,10})=(.+)$/.exec(text) ?? [];
  // The largest number is no user: chown(2) takes it for "leave as it is".
  if (uid === undefined || grants === undefined || Number(uid) >= U32_MAX) {
    throw new UsageError(`Cannot use --mount-as "${text}": it must be UID=GRANT[+GRANT]`);
  }
  try {
    return { uid: Number(uid), grants: splitGrants(grants, "+") };
  } catch (error) {
    throw new UsageError(`Cannot use --mount-as "${text}": ${(error as Error).message}`);
  }
}
