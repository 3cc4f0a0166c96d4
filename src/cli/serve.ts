import { resolve } from "node:path/posix";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { getLogger } from "@logtape/logtape";
import { deadline } from "@std/async";
import { DRAIN_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import { Tokens } from "../daemon/auth.ts";
import { type Config, parseConfig, serveHelp } from "../daemon/config.ts";
import { CLOSE, Connections } from "../daemon/connections.ts";
import { Innkeeper } from "../daemon/innkeeper.ts";
import { Scopes } from "../generations/scopes.ts";
import { lockFolder } from "../native/folder_lock.ts";
import { Libc } from "../native/libc.ts";
import { PageFiles } from "../storage/page_files.ts";
import { SqliteLedger, StateFolderError } from "../storage/sqlite_ledger.ts";
import { createApp } from "../../routes/app.ts";
import type { Env } from "../../routes/env.ts";
import { healthRoutes } from "../../routes/health.ts";
import { Metrics, metricsRoutes } from "../../routes/metrics.ts";
import { scopeRoutes } from "../../routes/scopes.ts";
import { watchRoutes } from "../../routes/watch.ts";
import denoJson from "../../deno.json" with { type: "json" };
import { EXIT, ExitError } from "./exit.ts";
import { listen, type Listening } from "./listen.ts";
import { logToStderr } from "./log.ts";
import { surroundings } from "./surroundings.ts";
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
 * @throws {ExitError} when a folder is in use; UsageError when the token file is of no use
 */
export async function openHouse(config: Config, clock: Clock = systemClock): Promise<House> {
  const libc = Libc.open();
  const ledger = openState(config, libc);
  // What was opened keeps working; nothing can be opened after this.
  Deno.permissions.revokeSync({ name: "ffi", path: libc.path });
  const tokens = new Tokens(readTokens(config.tokenFile));
  const ports = { ledger, clock, random: systemRandom };
  const scopes = await Scopes.open({ ...ports, pages: new PageFiles(`${config.run}/pages`) });
  const innkeeper = new Innkeeper({ scopes });
  const connections = new Connections(clock);
  const stopping = new AbortController();
  const metrics = new Metrics([
    { name: "innkeeper_scopes", help: "Scopes", read: () => scopes.list().length },
    { name: "innkeeper_connections", help: "Open WebSockets", read: () => connections.count },
    {
      name: "innkeeper_resident_bytes",
      help: "Memory of the daemon",
      read: () => Deno.memoryUsage().rss,
    },
  ]);
  const app = createApp({
    version: denoJson.version,
    tokens,
    allowedHosts: config.allowHosts,
    metrics,
    open: [
      healthRoutes({ version: denoJson.version, ready: () => !stopping.signal.aborted }),
    ],
    guarded: [
      metricsRoutes(metrics),
      scopeRoutes(scopes, stopping.signal),
      watchRoutes({
        scopes,
        connections,
        clock,
        upgrade: (request, protocol) =>
          // Heartbeats are our own: Deno's idle time-out never ends a client that does not read.
          Deno.upgradeWebSocket(request, { protocol, idleTimeout: 0 }),
      }),
    ],
  });
  return {
    app,
    reloadTokens() {
      tokens.replace(readTokens(config.tokenFile));
      void connections.close(
        CLOSE.tokenRemoved,
        "the token was removed",
        ({ principal }) => principal.isToken && !tokens.knows(principal),
      );
    },
    async beginStop() {
      stopping.abort();
      await connections.close(CLOSE.restart, "the daemon stops");
    },
    async close() {
      await innkeeper.close();
      await ledger.close();
      libc[Symbol.dispose]();
    },
  };
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

function makeFolder(path: string, mode: number): void {
  Deno.mkdirSync(path, { recursive: true, mode });
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
  const config = parseConfig(args, surroundings);
  logToStderr();
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") {
    log.warn("started with all permissions: start with `deno task start` for narrow ones");
  }
  const house = await openHouse(config);
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
    await write(Deno.stdout, `Console: ${http}/#token=${token}\n`);
  }
}

async function write(stream: typeof Deno.stdout, text: string): Promise<void> {
  const writer = stream.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
}
