import { resolve } from "node:path/posix";
import { setImmediate } from "node:timers";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { getLogger } from "@logtape/logtape";
import { deadline } from "@std/async";
import { Registry } from "prom-client";
import { EventLog } from "../core/event_log.ts";
import { DRAIN_MS } from "../core/limits.ts";
import type { OpenHostDevice } from "../core/ports/host_device.ts";
import type { RootFolder } from "../core/ports/root_folder.ts";
import { type Principal, Tokens } from "../access/tokens.ts";
import { type Config, parseConfig, type RootConfig, serveHelp, UsageError } from "./config.ts";
import { CLOSE, Connections } from "../sessions/connections.ts";
import { GuestDisks, OVERLAY_ROOT } from "../daemon/guest_disks.ts";
import { HostMirror } from "../daemon/host_mirror.ts";
import { hostSources } from "../daemon/host_sources.ts";
import { Innkeeper } from "../daemon/innkeeper.ts";
import { Replays } from "../access/idempotency.ts";
import { Reseeders } from "../sessions/reseeders.ts";
import { SendTurns } from "../sessions/send_turns.ts";
import { Tickets } from "../access/tickets.ts";
import { DeviceRegistry } from "../devices/registry.ts";
import { DeviceResolver, HOST_ROOTS } from "../devices/resolve/resolve.ts";
import { V86Engines } from "../engines/v86/engines.ts";
import { Scopes, SYSTEM_SCOPE } from "../generations/scopes.ts";
import { Guests } from "../guests/guests.ts";
import { InodeStore } from "../inodes/store/store.ts";
import { lockFolder } from "../native/folder_lock.ts";
import { openHostDevice } from "../native/host_device.ts";
import { HostRoot } from "../native/host_root.ts";
import { NativeHostTree } from "../native/host_tree.ts";
import { Libc } from "../native/libc.ts";
import { MappedCacheFiles } from "../native/mapped_cache_file.ts";
import { visibilityOf } from "../native/visibility.ts";
import { SharedFolder } from "../native/shared_folder.ts";
import { JournalFiles } from "../storage/journal_file.ts";
import { PageFiles } from "../storage/page_files.ts";
import { HttpRemoteFiles } from "../storage/remote_file.ts";
import { SnapshotFiles } from "../storage/snapshot_files.ts";
import { SpoolFiles } from "../storage/spool_files.ts";
import { SqliteLedger, StateFolderError } from "../storage/sqlite_ledger.ts";
import { createApp } from "../../routes/http/app.ts";
import { asyncApiRoutes } from "../../routes/operate/asyncapi.ts";
import { consoleRoutes } from "../../routes/operate/console.ts";
import type { Env } from "../../routes/http/env.ts";
import { deviceRoutes } from "../../routes/devices/devices.ts";
import { eventRoutes } from "../../routes/operate/events.ts";
import { guestConsoleRoutes } from "../../routes/guests/console.ts";
import { guestRoutes } from "../../routes/guests/guests.ts";
import { healthRoutes } from "../../routes/operate/health.ts";
import { inodeRoutes } from "../../routes/inodes/inodes.ts";
import { metricsOf, metricsRoutes } from "../../routes/operate/metrics.ts";
import { scopeRoutes } from "../../routes/generations/scopes.ts";
import type { SocketContext } from "../sessions/socket.ts";
import { ticketRoutes } from "../../routes/operate/tickets.ts";
import { watchRoutes } from "../../routes/generations/watch.ts";
import denoJson from "../../deno.json" with { type: "json" };
import { EXIT, ExitError } from "./exit.ts";
import { listen, type Listening } from "./listen.ts";
import { logToStderr } from "./log.ts";
import { pageFiles } from "./static_files.ts";
import { environment } from "./environment.ts";
import { systemClock, systemRandom } from "./system.ts";
import { makeTokenFile, readTokens } from "./token_file.ts";

const log = getLogger(["innkeeper", "daemon"]);

/** The daemon put together, not yet listening. */
export interface House {
  readonly app: OpenAPIHono<Env>;
  /** Ends the sockets whose token was removed. */
  reloadTokens(): void;
  /** From now on nothing new is taken; whoever waits is answered, WebSockets are told. */
  beginStop(): Promise<void>;
  /** Writes everything down and lets go of it. */
  close(): Promise<void>;
}

/**
 * Picks the adapters and puts the daemon together: the one place that does.
 *
 * @throws {ExitError} when a folder is in use; UsageError when a root or the token file is of no
 * use
 */
export async function openDaemon(config: Config): Promise<House> {
  const libc = Libc.open();
  const resources = new AsyncDisposableStack();
  resources.use(libc);
  try {
    const ledger = openState(config, libc);
    resources.defer(() => ledger.close());
    const tokens = new Tokens(readTokens(config.tokenFile));
    const innkeeper = await openInnkeeper(config, libc, ledger, resources);
    // What was opened keeps working; nothing can be opened after this.
    Deno.permissions.revokeSync({ name: "ffi", path: libc.path });
    return mountRoutes(config, innkeeper, tokens, resources.move());
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** Opens the four parts, each on its adapters. They are let go in the opposite order. */
async function openInnkeeper(
  { state, run, roots, remotes, hostRoot, vhostStore, cacheBytes }: Config,
  libc: Libc,
  ledger: SqliteLedger,
  resources: AsyncDisposableStack,
): Promise<Innkeeper> {
  const events = await EventLog.open({ ledger, clock: systemClock });
  const ports = { ledger, events, clock: systemClock, random: systemRandom };
  const hostTree = resources.use(new NativeHostTree(libc, hostRoot));
  const resolver = new DeviceResolver({ hostTree }, { ...HOST_ROOTS, vhostStore });
  const rootFolders = new Map<string, RootFolder>();
  const shares = new Map<string, SharedFolder>();
  for (const root of roots) {
    rootFolders.set(root.name, resources.use(openRoot(libc, root)));
    shares.set(root.name, resources.use(new SharedFolder(libc, root.path)));
  }
  const overlays = makeFolder(`${state}/overlays`, 0o700);
  rootFolders.set(OVERLAY_ROOT, resources.use(new HostRoot(libc, overlays)));
  const inodes = new InodeStore({
    ...ports,
    roots: rootFolders,
    remotes: new HttpRemoteFiles(remotes),
    caches: new MappedCacheFiles(libc, makeFolder(`${state}/cache`, 0o700)),
    journals: new JournalFiles(makeFolder(`${state}/journal`, 0o700)),
    spools: new SpoolFiles(makeFolder(`${state}/spool`, 0o700)),
    bootId: await bootId(libc),
    cacheBytes,
  });
  for (const recovered of await inodes.recover()) {
    log.warn("an earlier process left unsaved bytes", { ...recovered });
  }
  // Guests do not outlive a daemon, and neither does what they wrote to their disks.
  for (const { name } of Deno.readDirSync(overlays)) Deno.removeSync(`${overlays}/${name}`);
  const v86 = resources.use(new V86Engines());
  const innkeeper = new Innkeeper({
    events,
    inodes,
    disks: new GuestDisks(inodes, systemRandom),
    shares,
    scopes: await Scopes.open({
      ...ports,
      pages: new PageFiles(`${run}/pages`, visibilityOf(libc, run)),
    }),
    devices: resources.use(await DeviceRegistry.open({ ...ports, resolver })),
    resolver,
    reseeders: new Reseeders(),
    guests: await Guests.open({
      ...ports,
      engines: { v86: () => v86.make() },
      snapshots: await SnapshotFiles.open(makeFolder(`${state}/snapshots`, 0o700)),
    }),
  });
  resources.defer(async () => {
    for (const { inode, error } of await innkeeper.close()) {
      log.error("not written back: the next start tries again", {
        path: inode.identity.path,
        error: String(error),
      });
    }
  });
  const scope = innkeeper.scopes.get(SYSTEM_SCOPE);
  const openDevice: OpenHostDevice = (path, notThis) =>
    openHostDevice(libc, hostTree, path, notThis);
  const sources = hostSources(openDevice, scope, systemClock);
  const mirror = await HostMirror.open({ ...ports, scope, sources });
  resources.defer(() => mirror.close());
  return innkeeper;
}

/** Mounts the routes. */
function mountRoutes(
  config: Config,
  innkeeper: Innkeeper,
  tokens: Tokens,
  resources: AsyncDisposableStack,
): House {
  const { version } = denoJson;
  const connections = new Connections(systemClock);
  const stopping = new AbortController();
  const isKnown = (principal: Principal): boolean => tokens.knows(principal);
  const tickets = new Tickets(systemClock, systemRandom);
  const sockets: SocketContext = {
    isKnown,
    connections,
    clock: systemClock,
    turns: new SendTurns((turn) => setImmediate(turn)),
    upgrade: (request, { protocol, idleSeconds }) =>
      Deno.upgradeWebSocket(request, { protocol, idleTimeout: idleSeconds }),
  };
  const metrics = new Registry();
  const app = createApp({
    version,
    tokens,
    tickets,
    replays: new Replays(systemClock),
    allowedHosts: config.allowHosts,
    metrics,
    open: [
      consoleRoutes(pageFiles),
      asyncApiRoutes(version),
      healthRoutes({ version, ready: () => !stopping.signal.aborted }),
    ],
    guarded: [
      metricsRoutes(metrics, metricsOf(innkeeper, connections, () => Deno.memoryUsage().rss)),
      scopeRoutes(innkeeper.scopes, stopping.signal),
      watchRoutes({ ...sockets, scopes: innkeeper.scopes, guests: innkeeper.guests }),
      guestConsoleRoutes(innkeeper.guests, sockets, stopping.signal),
      eventRoutes(innkeeper.events, systemClock, stopping.signal, isKnown),
      ticketRoutes(tickets),
      deviceRoutes(innkeeper.devices, innkeeper.resolver),
      inodeRoutes(innkeeper.inodes),
      guestRoutes(innkeeper, stopping.signal),
    ],
  });
  return {
    app,
    reloadTokens() {
      tokens.replace(readTokens(config.tokenFile));
      void connections.close(
        CLOSE.tokenRemoved,
        "the token was removed",
        ({ principal }) => !isKnown(principal),
      );
    },
    async beginStop() {
      stopping.abort();
      await connections.close(CLOSE.restart, "the daemon stops");
    },
    close: () => resources.disposeAsync(),
  };
}

function openRoot(libc: Libc, { name, path, readOnly, noatime }: RootConfig): HostRoot {
  try {
    return new HostRoot(libc, path, { readOnly, noatime });
  } catch (error) {
    throw new UsageError(`Cannot use root "${name}": ${(error as Error).message}`);
  }
}

/** Names this run of the host: what was cached before a reboot is not to be trusted. */
async function bootId(libc: Libc): Promise<string> {
  using proc = new NativeHostTree(libc, "/");
  const bytes = await proc.readFile("/proc/sys/kernel/random/boot_id");
  return new TextDecoder().decode(bytes).trim();
}

/** Makes the folders and takes them for this process alone. */
function openState(config: Config, libc: Libc): SqliteLedger {
  const { state, run, tokenFile } = config;
  makeFolder(state, 0o700);
  makeFolder(run, 0o755);
  makeFolder(`${run}/private`, 0o700);
  if (!lockFolder(libc, `${run}/private/lock`)) {
    throw new ExitError(EXIT.folder, `Cannot use ${run}: another Innkeeper has it`);
  }
  if (tokenFile === resolve(state, "token")) makeTokenFile(tokenFile, systemRandom);
  try {
    return new SqliteLedger(`${state}/ledger.sqlite`);
  } catch (error) {
    if (error instanceof StateFolderError) throw new ExitError(EXIT.folder, error.message);
    throw error;
  }
}

function makeFolder(path: string, mode: number): string {
  Deno.mkdirSync(path, { recursive: true, mode });
  return path;
}

/**
 * `innkeeper serve`: runs the daemon until a signal ends it.
 *
 * @returns The exit status
 * @throws {ExitError} when it cannot start; UsageError for flags of no use
 */
export async function serve(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    await write(Deno.stdout, serveHelp());
    return EXIT.clean;
  }
  const config = parseConfig(args, environment);
  logToStderr();
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") {
    log.warn("started with all permissions: start with `deno task start` for narrow ones");
  }
  const house = await openDaemon(config);
  const listening = await listenAll(config, house);
  const signalled = firstSignal(["SIGTERM", "SIGINT"]);
  Deno.addSignalListener("SIGHUP", () => reload(house));
  await announce(config, listening);
  log.info("stopping", { signal: await signalled });
  const drained = AbortSignal.timeout(DRAIN_MS);
  // Deno would tell the WebSockets something else if it stopped listening first.
  await deadline(house.beginStop(), DRAIN_MS).catch(() => {});
  await Promise.all(listening.map((one) => one.stop(drained)));
  await house.close();
  return EXIT.clean;
}

async function listenAll(config: Config, house: House): Promise<Listening[]> {
  const listening: Listening[] = [];
  try {
    for (const address of config.listen) {
      listening.push(
        await listen(
          address,
          config.tls,
          (request, listener) => house.app.fetch(request, { listener }),
        ),
      );
    }
    return listening;
  } catch (error) {
    await Promise.all(listening.map((one) => one.stop(AbortSignal.abort())));
    await house.close();
    throw error;
  }
}

function firstSignal(signals: readonly Deno.Signal[]): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of signals) Deno.addSignalListener(signal, () => resolve(signal));
  });
}

function reload(house: House): void {
  try {
    house.reloadTokens();
    log.info("token file read again");
  } catch (error) {
    log.error("token file not read: the tokens before stay in force", {
      error: (error as Error).message,
    });
  }
}

/** The ready line; on a terminal also a link that opens the console with its token. */
async function announce(config: Config, listening: readonly Listening[]): Promise<void> {
  const addresses = listening.map(({ address }) => address);
  const http = addresses.find((address) => address.startsWith("http"));
  const console = http === undefined ? {} : { console: `${http}/` };
  const { tokenFile, state, run } = config;
  await write(
    Deno.stdout,
    `${JSON.stringify({ ready: true, listen: addresses, ...console, tokenFile, state, run })}\n`,
  );
  if (http !== undefined && Deno.stdout.isTerminal()) {
    const token = readTokens(tokenFile)[0]?.token ?? "";
    await write(Deno.stdout, `Console: ${http}/#token=${encodeURIComponent(token)}\n`);
  }
}

async function write(stream: typeof Deno.stdout, text: string): Promise<void> {
  const writer = stream.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
}
