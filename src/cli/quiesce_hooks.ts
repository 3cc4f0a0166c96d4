import type { QuiesceRequest, WatcherOptions } from "../client/watcher.ts";
import { runHook } from "./hook.ts";

/** Commands that a user gave for the begin and the end of a quiesce. */
interface QuiesceCommands {
  readonly onQuiesce: string | undefined;
  readonly onResume: string | undefined;
}

/** Runs the commands of quiesces, one at a time. */
export class QuiesceHooks {
  readonly #commands: QuiesceCommands;
  readonly #timeoutMs: number;
  readonly #err: (line: string) => void;
  #last: Promise<unknown> = Promise.resolve();
  #over = new AbortController();
  #env: Readonly<Record<string, string>> = {};

  constructor(commands: QuiesceCommands, timeoutMs: number, err: (line: string) => void) {
    this.#commands = commands;
    this.#timeoutMs = timeoutMs;
    this.#err = err;
  }

  /** What a watcher calls. Without a command for its begin the watcher says that it cannot quiesce. */
  callbacks(): Pick<WatcherOptions, "onQuiesce" | "onResume"> {
    const { onQuiesce, onResume } = this.#commands;
    return {
      ...onQuiesce === undefined ? {} : {
        onQuiesce: (request: QuiesceRequest) => this.#begin(onQuiesce, request),
      },
      onResume: () => this.#end(onResume),
    };
  }

  /** Resolves when no command runs any more. */
  async ended(): Promise<void> {
    await this.#last;
  }

  async #begin(command: string, { scope, reason, maxMs }: QuiesceRequest): Promise<void> {
    this.#over.abort();
    const over = new AbortController();
    this.#over = over;
    this.#env = {
      INNKEEPER_SCOPE: scope,
      INNKEEPER_REASON: reason,
      INNKEEPER_MAX_MS: String(maxMs),
    };
    this.#err(`quiesce (${reason}): running ${command}`);
    const failure = await this.#run(command, over.signal);
    if (over.signal.aborted) throw new Error("the quiesce is over");
    this.#err(failure === undefined ? "quiesced" : `cannot quiesce: ${failure}`);
    if (failure !== undefined) throw new Error(failure);
  }

  #end(command: string | undefined): void {
    this.#over.abort();
    if (command === undefined) return;
    this.#err(`the quiesce is over: running ${command}`);
    this.#run(command, new AbortController().signal).then((failure) => {
      if (failure !== undefined) this.#err(`cannot go on: ${failure}`);
    });
  }

  /** A command that stops something must have ended before the one that starts it again begins. */
  #run(command: string, signal: AbortSignal): Promise<string | undefined> {
    const env = this.#env;
    const run = (): Promise<string | undefined> =>
      runHook(command, env, { signal, timeoutMs: this.#timeoutMs });
    const done = this.#last.then(run, run);
    this.#last = done.catch(() => {});
    return done;
  }
}
