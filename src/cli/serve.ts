import { getLogger } from "@logtape/logtape";
import { delay } from "@std/async";
import { DRAIN_MS, LOG_FLUSH_MS } from "../core/limits.ts";
import { type Daemon, openDaemon } from "./compose.ts";
import type { Config } from "./config.ts";
import { EXIT } from "./exit.ts";
import { listen, type Listening } from "./listen.ts";
import { logToStderr } from "./log.ts";
import { write } from "./output.ts";
import { readTokens } from "./token_file.ts";

const log = getLogger(["innkeeper", "daemon"]);

/**
 * Runs the daemon until SIGTERM or SIGINT ends it. SIGHUP makes it read the token file again.
 *
 * @returns The exit status
 * @throws {ExitError} when it cannot start
 */
export async function serve(config: Config): Promise<number> {
  const logged = logToStderr();
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") {
    log.warn("started with all permissions: start with `deno task start` for narrow ones");
  }
  const daemon = await openDaemon(config);
  const listening = await listenAll(config, daemon);
  await daemon.listeners.start();
  const signalled = firstSignal(["SIGTERM", "SIGINT"]);
  Deno.addSignalListener("SIGHUP", () => void reload(daemon, listening));
  announce(config, listening);
  log.info("stopping", { signal: await signalled });
  // Requests that have not ended by then end with the process.
  const drained = delay(DRAIN_MS);
  // First, since Deno would close the WebSockets with a code of its own when it stops listening.
  await Promise.race([daemon.beginStop(), drained]);
  const stopping = [...listening, daemon.listeners].map((one) => one.stop());
  await Promise.race([Promise.all(stopping), drained]);
  await daemon.close();
  await Promise.race([logged.flush(), delay(LOG_FLUSH_MS)]);
  return EXIT.done;
}

async function listenAll({ listen: addresses, tls }: Config, daemon: Daemon): Promise<Listening[]> {
  const listening: Listening[] = [];
  try {
    for (const address of addresses) {
      listening.push(
        await listen(address, tls, daemon),
      );
    }
    return listening;
  } catch (error) {
    // Nothing runs yet, and a socket file must not stay behind.
    await Promise.all(listening.map((one) => one.stop()));
    await daemon.close();
    throw error;
  }
}

function firstSignal(signals: readonly Deno.Signal[]): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of signals) Deno.addSignalListener(signal, () => resolve(signal));
  });
}

/** Reads the token file and the certificates again. What cannot be used stays as it was. */
async function reload(daemon: Daemon, listening: readonly Listening[]): Promise<void> {
  try {
    daemon.reloadTokens();
    log.info("token file read again");
  } catch (error) {
    log.error("token file not read: the earlier tokens stay in force", {
      error: (error as Error).message,
    });
  }
  for (const { address, renew } of listening) {
    if (renew === undefined) continue;
    try {
      await renew();
      log.info("certificate read again", { address });
    } catch (error) {
      log.error("certificate not read: the earlier one stays in force", {
        address,
        error: (error as Error).message,
      });
    }
  }
}

/** Prints the ready line; on a terminal also a link that opens the console with its token. */
function announce(config: Config, listening: readonly Listening[]): void {
  const addresses = listening.map(({ address }) => address);
  const http = addresses.find((address) => address.startsWith("http"));
  const console = http === undefined ? {} : { console: `${http}/` };
  const { tokenFile, state, run } = config;
  const ready = { ready: true, listen: addresses, ...console, tokenFile, state, run };
  try {
    write(Deno.stdout, `${JSON.stringify({ ...ready, pid: Deno.pid })}\n`);
  } catch (error) {
    // The launcher may have started this process long after whoever reads the line has gone.
    const isRestart = config.mount?.lent !== undefined && error instanceof Deno.errors.BrokenPipe;
    if (!isRestart) throw error;
  }
  if (http !== undefined && Deno.stdout.isTerminal()) {
    const token = readTokens(tokenFile)[0]?.token ?? "";
    write(Deno.stdout, `Console: ${http}/#token=${encodeURIComponent(token)}\n`);
  }
}
