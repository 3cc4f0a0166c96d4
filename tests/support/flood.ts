/**
 * Opens connections to a daemon, and opens each again as soon as the daemon closes it. It runs as a
 * process of its own, so that who measures the daemon meanwhile does not measure this:
 * `deno run -A tests/support/flood.ts PORT CONNECTIONS TEXT`.
 *
 * @module
 */
import { delay } from "@std/async";

/** Pause before a connection that was closed is opened again. */
const AGAIN_MS = 500;

/** What a flood is made of. */
interface FloodOptions {
  /** How many connections are open at a time. */
  readonly connections: number;
  /** What each sends before it stands still. */
  readonly text: string;
}

/** A flood that goes on until it is disposed of. */
export class Flood implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Resolves when as many connections were opened as shall be open. */
  static async start(port: number, { connections, text }: FloodOptions): Promise<Flood> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.filename ?? "", String(port), String(connections), text],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    return new Flood(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.stdout.cancel();
    await this.#child.status;
  }
}

async function flood(port: number, connections: number, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let n = 0; n < connections; n++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    void stand(port, bytes, resolve);
    await promise;
  }
  await Deno.stdout.write(new TextEncoder().encode("all were opened\n"));
}

/** One connection after the other. */
async function stand(port: number, bytes: Uint8Array, opened: () => void): Promise<never> {
  for (;;) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      opened();
      if (bytes.length > 0) await connection.write(bytes);
      const buffer = new Uint8Array(1024);
      while (await connection.read(buffer) !== null);
    } catch {
      // It was reset, or refused.
    }
    await delay(AGAIN_MS);
  }
}

if (import.meta.main) {
  const [port, connections, text = ""] = Deno.args;
  await flood(Number(port), Number(connections), text);
}
