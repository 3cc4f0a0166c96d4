import { dirname, resolve } from "node:path/posix";
import { setImmediate } from "node:timers";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { getLogger } from "@logtape/logtape";
import { Registry } from "prom-client";
import { Descriptors } from "../core/descriptors.ts";
import { ROOT_THREADS_MAX, THREADS_PER_ROOT_MAX } from "../core/limits.ts";
import { EventLog } from "../core/event_log.ts";
import type { HostSockets } from "../core/ports/host_socket.ts";
import type { OpenHostDevice } from "../core/ports/host_device.ts";
import { hasErrno, SystemError } from "../core/system_error.ts";
import type { PageFolder } from "../core/ports/page_file.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { RootFolder } from "../core/ports/root_folder.ts";
import { Admission, type Admitted } from "../access/admission.ts";
import type { Listener } from "../access/listener.ts";
import { type Principal, type TokenEntry, Tokens } from "../access/tokens.ts";
import { CLOSE, Connections } from "../sessions/connections.ts";
import { InodeFiles, OVERLAY_ROOT } from "../daemon/guest_files.ts";
import { releaseSuperseded } from "../daemon/listener_watchers.ts";
import { HostMirror } from "../daemon/host_mirror.ts";
import { hostSources } from "../daemon/host_sources.ts";
import { Innkeeper } from "../daemon/innkeeper.ts";
import { IdempotentAnswers } from "../access/idempotency.ts";
import { Reseeders } from "../sessions/reseeders.ts";
import { SendTurns } from "../sessions/send_turns.ts";
import type { RunTimeListeners } from "../access/run_time_listeners.ts";
import { Tickets } from "../access/tickets.ts";
import { DeviceRegistry } from "../devices/registry.ts";
import { HOST_ROOTS } from "../devices/resolve/host_roots.ts";
import { DeviceResolver } from "../devices/resolve/resolve.ts";
import { V86Engines } from "../engines/v86/engines.ts";
import { PageWatch } from "../generations/page_watch.ts";
import { Scopes, SYSTEM_SCOPE } from "../generations/scopes.ts";
import { Guests } from "../guests/guests.ts";
import { InodeStore } from "../inodes/store/store.ts";
import type { Mount } from "../mount/mount.ts";
import { CopiedPages } from "../mount/copied_pages.ts";
import { Borrowed } from "../mount/lent_mount.ts";
import { openMount, serveLent } from "../mount/open_mount.ts";
import { O_PATH } from "../native/constants.ts";
import { openDescriptors, raiseDescriptorLimit } from "../native/descriptor_limit.ts";
import { lockFolder } from "../native/folder_lock.ts";
import { NativeHostSockets } from "../native/host_socket.ts";
import { HostRoot } from "../native/host_root.ts";
import { PeerProcesses } from "../native/peer_processes.ts";
import { openHostDevice } from "../native/host_device.ts";
import { whyNotOwn } from "../native/own_path.ts";
import { NativeHostTree } from "../native/host_tree.ts";
import { Libc } from "../native/libc.ts";
import { MappedCacheFiles } from "../native/mapped_cache_file.ts";
import { monotonicNowMs } from "../native/monotonic_clock.ts";
import { OwnPageFiles } from "../native/own_page_files.ts";
import { visibilityOf } from "../native/visibility.ts";
import { NativeSocketFiles } from "../native/socket_files.ts";
import { SharedFolder } from "../native/shared_folder.ts";
import { JournalFiles } from "../storage/journal_file.ts";
import { PageFiles } from "../storage/page_files.ts";
import { HttpRemoteFiles } from "../storage/remote_file.ts";
import { SnapshotFiles } from "../storage/snapshot_files.ts";
import { SpoolFiles } from "../storage/spool_files.ts";
import { lossOfLedger, watchFile } from "../storage/state_evidence.ts";
import { SqliteLedger } from "../storage/sqlite_ledger.ts";
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
import { mountRoutes as mountStatusRoutes } from "../../routes/operate/mount.ts";
import { listenerRoutes } from "../../routes/operate/listeners.ts";
import { ticketRoutes } from "../../routes/operate/tickets.ts";
import { watchRoutes } from "../../routes/generations/watch.ts";
import denoJson from "../../deno.json" with { type: "json" };
import type { Config, RootConfig } from "./config.ts";
import { EXIT, ExitError, UsageError } from "./exit.ts";
import { makeFolder, makeRunFolder, openNamed } from "./named_folder.ts";
import { startFailure } from "./start_failure.ts";
import { GrowthWatch } from "./growth_watch.ts";
import { pageFiles } from "./static_files.ts";
import { clockOfBoot, systemClock, systemRandom } from "./system.ts";
import { runTimeListeners } from "./listener_sockets.ts";
import type { SocketRequest } from "./socket_request.ts";
import { makeTokenFile, readTokens } from "./token_file.ts";

const log = getLogger(["innkeeper", "daemon"]);

/** A daemon that is put together and does not listen yet. */
export interface Daemon {
  readonly app: OpenAPIHono<Env>;
  /** The sockets that are made at run time. */
  readonly listeners: Pick<RunTimeListeners, "start" | "stop">;
  /** Which connections may come and stay. */
  readonly admission: Admission;
  readonly sockets: HostSockets;
  /** Answers a request, of a connection that was admitted and may become a WebSocket. */
  answer(
    request: Request,
    listener: Listener,
    connection?: Admitted,
    socket?: SocketRequest,
  ): Response | Promise<Response>;
  /** Reads the token file again, and ends the sockets of tokens that were removed. */
  reloadTokens(): void;
  /** Takes nothing new, answers everyone who waits, and ends the WebSockets. */
  beginStop(): Promise<void>;
  /** Writes everything back and releases it. */
  close(): Promise<void>;
}

/**
 * Picks the adapters and puts the daemon together.
 *
 * @throws {ExitError} when a folder is in use; a UsageError when a root or the token file cannot be
 * used
 */
export async function openDaemon(config: Config): Promise<Daemon> {
  const libc = Libc.open();
  const resources = new AsyncDisposableStack();
  resources.use(libc);
  try {
    const borrowed = borrowMount(config, libc, resources);
    const ledger = openState(config, libc);
    resources.defer(() => ledger.close());
    const read = (): readonly TokenEntry[] => readOwnTokens(libc, config.tokenFile);
    const tokens = new Tokens(read());
    const descriptors = descriptorsOf(config, libc);
    const pages = openPages(config, libc, resources);
    const innkeeper = await openInnkeeper(config, libc, { ledger, pages, descriptors }, resources);
    const mount = await mountFiles(config, libc, { innkeeper, pages, borrowed }, resources);
    // From here on no library can be opened; those that are open keep working.
    Deno.permissions.revokeSync({ name: "ffi", path: libc.path });
    const parts = { ledger, libc, tokens, read, descriptors };
    return mountRoutes(config, innkeeper, parts, resources.move(), mount);
  } catch (error) {
    await resources.disposeAsync();
    throw startFailure(error);
  }
}

/** Raises the limit of file descriptors, and says what fits. */
function descriptorsOf({ roots, listen }: Config, libc: Libc): Descriptors {
  const open = openDescriptors(libc) + listen.length + 2 * roots.length;
  const descriptors = new Descriptors(raiseDescriptorLimit(libc), open);
  if (!descriptors.isEnough) throw new ExitError(EXIT.host, descriptors.tooFew);
  log.info("file descriptors", descriptors.fits);
  return descriptors;
}

const ledgerPath = ({ state }: Pick<Config, "state">): string => `${state}/ledger.sqlite`;

/** Makes the folders, and locks them for this process alone. */
function openState({ state, run, tokenFile, acceptLoss }: Config, libc: Libc): SqliteLedger {
  makeFolder(state, 0o700);
  makeRunFolder(run);
  makeFolder(`${run}/private`, 0o700);
  for (const folder of [state, run, `${run}/private`]) requireOwnFolder(libc, folder);
  // A state folder of an older version, or one that somebody made, may be readable for all.
  for (const folder of [state, `${run}/private`]) Deno.chmodSync(folder, 0o700);
  lockRun(libc, run);
  if (tokenFile === resolve(state, "token")) makeTokenFile(tokenFile);
  const loss = lossOfLedger({ state, run, acceptLoss });
  if (loss !== undefined) log.warn("a lost ledger was accepted", { loss });
  return new SqliteLedger(ledgerPath({ state }), acceptLoss);
}

function lockRun(libc: Libc, run: string): void {
  const lock = `${run}/private/lock`;
  let isLocked: boolean;
  try {
    isLocked = lockFolder(libc, lock);
  } catch (error) {
    throw new ExitError(
      EXIT.folder,
      `Cannot lock ${run}: ${
        (error as Error).message
      }; ${lock} must be a regular file or not there`,
    );
  }
  if (isLocked) return;
  throw new ExitError(
    EXIT.folder,
    `Cannot use ${run}: another Innkeeper has it; stop that one or give --run DIR`,
  );
}

/** @throws {ExitError} when others can change what is in the folder */
function requireOwnFolder(libc: Libc, path: string): void {
  const why = whyNotOwn(libc, path);
  if (why !== undefined) throw new ExitError(EXIT.folder, `Cannot use ${path}: ${why}`);
}

/** Reads the token file, which nobody else may be able to change: whoever can is let in. */
function readOwnTokens(libc: Libc, path: string): readonly TokenEntry[] {
  const entries = readTokens(path);
  const why = whyNotOwn(libc, path);
  if (why === undefined) return entries;
  throw new UsageError(`Cannot use the token file ${path}: ${why}`);
}

/** The folder of published pages, with the copies that programs of a mount have. */
function openPages({ run }: Config, libc: Libc, resources: AsyncDisposableStack): CopiedPages {
  const published = new PageFiles(libc, `${run}/pages`, visibilityOf(libc, run));
  // They are there without --mount too: programs of an earlier process may still map some.
  const copies = new OwnPageFiles(libc, makeFolder(`${run}/private/mount`));
  const pages = new CopiedPages(published, copies);
  resources.defer(() => pages.close());
  return pages;
}

/** Opens the four parts, each on its adapters. `resources` releases them in the opposite order. */
async function openInnkeeper(
  config: Config,
  libc: Libc,
  { ledger, pages, descriptors }: {
    readonly ledger: SqliteLedger;
    readonly pages: PageFolder;
    readonly descriptors: Descriptors;
  },
  resources: AsyncDisposableStack,
): Promise<Innkeeper> {
  const { state, hostRoot, vhostStore } = config;
  const clock = clockOfBoot(await bootId(libc), monotonicNowMs(libc));
  const events = await EventLog.open({ ledger, clock });
  resources.defer(() => events.close());
  const ports = { ledger, events, clock, random: systemRandom, descriptors };
  const hostTree = resources.use(
    openNamed(`--host-root ${hostRoot}`, () => new NativeHostTree(libc, hostRoot)),
  );
  const resolver = new DeviceResolver({ hostTree }, { ...HOST_ROOTS, vhostStore });
  const inodes = await openInodes(config, libc, ports, resources);
  const shares = new Map(
    config.roots.map(({ name, path }) => [name, resources.use(new SharedFolder(libc, path))]),
  );
  const v86 = resources.use(new V86Engines());
  const innkeeper = new Innkeeper({
    events,
    inodes,
    scopes: await Scopes.open({ ...ports, processes: new PeerProcesses(libc), pages }),
    devices: resources.use(await DeviceRegistry.open({ ...ports, resolver })),
    resolver,
    reseeders: new Reseeders(),
    guests: await Guests.open({
      ...ports,
      engines: { v86: () => v86.make() },
      files: new InodeFiles({ inodes, shares, random: systemRandom }),
      snapshots: await SnapshotFiles.open(makeFolder(`${state}/snapshots`)),
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
  resources.use(new PageWatch(() => innkeeper.scopes.list(), systemClock));
  const scope = innkeeper.scopes.get(SYSTEM_SCOPE);
  const openDevice: OpenHostDevice = (path, notThis) =>
    openHostDevice(libc, hostTree, path, notThis);
  const sources = await hostSources(openDevice, scope, systemClock);
  for (const reason of ledger.losses) {
    log.warn("went on without a part of the state", { reason });
    events.emit({ kind: "state.damaged", subject: "ledger", reason, data: {} });
  }
  const mirror = await HostMirror.open({ ...ports, scope, sources });
  resources.defer(() => mirror.close());
  return innkeeper;
}

/** Opens the inode store on its roots, and recovers what an earlier process left unsaved. */
async function openInodes(
  { state, roots, remotes, cacheBytes }: Config,
  libc: Libc,
  { events, descriptors }: { events: EventLog; descriptors: Descriptors },
  resources: AsyncDisposableStack,
): Promise<InodeStore> {
  const overlays = makeFolder(`${state}/overlays`);
  // One thread at least, and together no more than there are for roots, as far as that is possible.
  const share = Math.floor(ROOT_THREADS_MAX / (roots.length + 1));
  const threads = Math.max(1, Math.min(THREADS_PER_ROOT_MAX, share));
  const folders = new Map<string, RootFolder>(
    roots.map((root) => [root.name, resources.use(openRoot(libc, root, threads))]),
  );
  folders.set(OVERLAY_ROOT, resources.use(new HostRoot(libc, overlays, { threads })));
  const inodes = new InodeStore({
    events,
    descriptors,
    clock: systemClock,
    random: systemRandom,
    roots: folders,
    remotes: new HttpRemoteFiles(remotes),
    caches: new MappedCacheFiles(libc, makeFolder(`${state}/cache`)),
    journals: new JournalFiles(makeFolder(`${state}/journal`)),
    spools: new SpoolFiles(makeFolder(`${state}/spool`)),
    bootId: await bootId(libc),
    cacheBytes,
  });
  for (const recovered of await inodes.recover()) {
    log.warn("an earlier process left unsaved bytes", { ...recovered });
  }
  // Guests do not outlive a daemon, so what they wrote to their disks is of no more use.
  for (const { name } of Deno.readDirSync(overlays)) Deno.removeSync(`${overlays}/${name}`);
  return inodes;
}

function openRoot(libc: Libc, root: RootConfig, threads: number): HostRoot {
  const { name, path, readOnly, noatime } = root;
  return openNamed(
    `root "${name}"`,
    () => new HostRoot(libc, path, { readOnly, noatime, threads }),
  );
}

/** Names this boot of the host: after a reboot, pages that were cached before may be stale. */
async function bootId(libc: Libc): Promise<string> {
  using proc = new NativeHostTree(libc, "/");
  const bytes = await proc.readFile("/proc/sys/kernel/random/boot_id");
  return new TextDecoder().decode(bytes).trim();
}

/** Takes the device of a mount that the launcher keeps, before anything waits for the mount. */
function borrowMount(
  { mount }: Config,
  libc: Libc,
  resources: AsyncDisposableStack,
): Borrowed | undefined {
  if (mount?.lent === undefined) return undefined;
  const borrowed = new Borrowed(libc, mount.lent, systemClock);
  resources.defer(() => borrowed.close());
  return borrowed;
}

/** Shows the parts as files. */
async function mountFiles(
  config: Config,
  libc: Libc,
  { innkeeper, pages, borrowed }: {
    readonly innkeeper: Innkeeper;
    readonly pages: CopiedPages;
    readonly borrowed: Borrowed | undefined;
  },
  resources: AsyncDisposableStack,
): Promise<Mount | undefined> {
  const { mount, run } = config;
  if (mount === undefined) return undefined;
  const { folder, grants } = mount;
  const { scopes, guests, events } = innkeeper;
  const ports = { scopes, guests, events, copiedPages: pages, clock: systemClock };
  try {
    const options = { folder, grants, pages: `${run}/pages` };
    const lent = { ...options, journalPath: `${run}/private/mount-journal` };
    const opened = borrowed === undefined
      ? await openMount(libc, options, ports)
      : await serveLent(libc, lent, borrowed, ports);
    resources.defer(() => opened.close());
    await requireOutside(config, libc);
    return opened.mount;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new UsageError(`Cannot mount on ${folder}: ${error.message}; see innkeeper doctor`);
  }
}

/** The daemon would wait for itself for ever on a path below its own mount (docs/mount.md#8). */
async function requireOutside(config: Config, libc: Libc): Promise<void> {
  const { state, run, tokenFile, tls, roots, hostRoot, vhostStore, listen } = config;
  const paths = [
    ...[state, run, dirname(tokenFile), tokenFile, hostRoot, ...roots.map(({ path }) => path)],
    ...(vhostStore === undefined ? [] : [vhostStore]),
    ...(tls === undefined ? [] : [tls.certFile, tls.keyFile]),
    ...listen.flatMap((address) => address.kind === "unix" ? [dirname(address.path)] : []),
  ];
  using host = new NativeHostTree(libc);
  for (const path of paths) {
    try {
      using _node = await host.open(path, O_PATH);
    } catch (error) {
      if (!hasErrno(error, "EDEADLK")) continue;
      throw new UsageError(
        `Cannot use ${path}: it is below --mount, which Innkeeper serves itself`,
      );
    }
  }
}

/** What the routes are mounted on, beside the four parts. */
interface MountParts {
  readonly ledger: Ledger;
  readonly libc: Libc;
  readonly tokens: Tokens;
  /** Reads the token file. */
  readonly read: () => readonly TokenEntry[];
  readonly descriptors: Descriptors;
}

/** Mounts the routes. */
function mountRoutes(
  config: Config,
  innkeeper: Innkeeper,
  { ledger, libc, tokens, read, descriptors }: MountParts,
  resources: AsyncDisposableStack,
  mount: Mount | undefined,
): Daemon {
  const { version } = denoJson;
  const { scopes, guests, inodes, devices, resolver, events } = innkeeper;
  const connections = new Connections(systemClock);
  const stopping = new AbortController();
  const ready = (): boolean => !stopping.signal.aborted;
  const isKnown = (principal: Principal): boolean => tokens.knows(principal);
  const tickets = new Tickets(systemClock, systemRandom);
  const upgradable = new WeakMap<Request, SocketRequest>();
  const sockets = socketsOf(isKnown, connections, upgradable);
  const metrics = new Registry();
  const endThose = (why: string, isOver: (principal: Principal) => boolean): void =>
    void connections.close(CLOSE.tokenRemoved, why, ({ principal }) => isOver(principal));
  const listeners = runTimeListeners(config, new NativeSocketFiles(libc), {
    ...{ ledger, events },
    answer: (request, listener) => app.fetch(request, { listener }),
    onGone: (gone) => endThose("the listener was deleted", (principal) => principal === gone),
    onDeleted: (principal, scope) => releaseSuperseded(scopes, principal, scope),
  });
  const app = createApp({
    ...{ version, tokens, tickets },
    answers: new IdempotentAnswers(systemClock),
    ...{ allowedHosts: config.allowHosts, metrics },
    lastSeq: () => events.lastSeq,
    open: [
      consoleRoutes(pageFiles),
      asyncApiRoutes(version),
      healthRoutes({ version, ready, missing: watchFile(ledgerPath(config)) }),
    ],
    guarded: [
      metricsRoutes(metrics, metricsOf(innkeeper, connections, () => Deno.memoryUsage().rss)),
      scopeRoutes(scopes, stopping.signal),
      watchRoutes({ ...sockets, scopes, guests }),
      guestConsoleRoutes(guests, sockets, stopping.signal),
      eventRoutes(events, stopping.signal, isKnown),
      ticketRoutes(tickets),
      listenerRoutes(listeners),
      mountStatusRoutes(() => mount?.status, metrics),
      deviceRoutes(devices, resolver),
      inodeRoutes(inodes),
      guestRoutes(innkeeper, stopping.signal),
    ],
  });
  return {
    app,
    listeners,
    admission: new Admission(descriptors, systemClock, (done) => setImmediate(done)),
    sockets: new NativeHostSockets(libc),
    answer(request, listener, connection, socket) {
      if (socket !== undefined) upgradable.set(request, socket);
      return app.fetch(request, { listener, connection });
    },
    reloadTokens() {
      tokens.replace(read());
      endThose("the token was removed", (principal) => !isKnown(principal));
    },
    async beginStop() {
      stopping.abort();
      await connections.close(CLOSE.restart, "the daemon stops");
    },
    close: () => resources.disposeAsync(),
  };
}

/**
 * What WebSockets share.
 *
 * @param upgradable Requests that came on connections of our own, and may become WebSockets
 */
function socketsOf(
  isKnown: SocketContext["isKnown"],
  connections: Connections,
  upgradable: WeakMap<Request, SocketRequest>,
): SocketContext {
  const growth = new GrowthWatch(systemClock);
  return {
    isKnown,
    connections,
    clock: systemClock,
    turns: new SendTurns((turn) => setImmediate(turn)),
    upgrade(request, { protocol, idleSeconds }) {
      const own = upgradable.get(request);
      if (own !== undefined) return own.upgrade(protocol, idleSeconds, growth);
      return Deno.upgradeWebSocket(request, { protocol, idleTimeout: idleSeconds });
    },
  };
}
