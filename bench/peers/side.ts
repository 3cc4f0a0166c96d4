/** One system under comparison, with all its watchers connected. */
export interface Side {
  readonly name: string;
  /**
   * Bumps, and waits until every watcher has confirmed.
   *
   * @returns Milliseconds by the caller's own clock, from before the bump until it knows that
   */
  bump(): Promise<number>;
  stop(): Promise<void>;
}

/** A system that can be compared, where it is installed. */
export interface Peer {
  readonly name: string;
  /** Why it cannot be compared here, `undefined` when it can. */
  readonly missing: string | undefined;
  /** Starts it with so many watchers in a process of their own. */
  start(count: number): Promise<Side>;
}

const START_TRIES = 200;
const START_WAIT_MS = 50;

/** Waits until a server that has just been started answers. */
export async function answering(request: () => Promise<unknown>): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      await request();
      return;
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, START_WAIT_MS));
    }
  }
}

/** Starts a server with a folder of its own. */
export async function server(
  program: string,
  args: (folder: string) => readonly string[],
): Promise<AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "innkeeper-peer-" });
  const child = new Deno.Command(program, {
    args: [...args(folder)],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
