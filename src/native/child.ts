import { SystemError } from "../core/system_error.ts";
import { stringTable } from "./exec.ts";
import { cString, type Libc } from "./libc.ts";

/** Bytes of posix_spawn_file_actions_t, and more: the C library has 80. */
const FILE_ACTIONS_BYTES = 256;

/** What to start. */
interface ChildOptions {
  /** The program's file. */
  readonly path: string;
  /** Its arguments, the name it is called by first. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors of this process that it gets, beside the standard streams, and their numbers there. */
  readonly descriptors: readonly { readonly own: number; readonly its: number }[];
}

/** How a process ended. */
export interface Ended {
  /** Its exit status; as a shell has it, 128 and the signal, when a signal ended it. */
  readonly status: number;
  readonly signal: number | undefined;
}

/** A process that this one has started. */
export class Child {
  readonly #libc: Libc;
  #ended = false;

  private constructor(libc: Libc, readonly pid: number) {
    this.#libc = libc;
  }

  /** @throws {SystemError} when it cannot be started */
  static start(libc: Libc, { path, args, env, descriptors }: ChildOptions): Child {
    const { symbols } = libc;
    const actions = new Uint8Array(FILE_ACTIONS_BYTES);
    symbols.posix_spawn_file_actions_init(actions);
    for (const { own, its } of descriptors) {
      symbols.posix_spawn_file_actions_adddup2(actions, own, its);
    }
    const pid = new Int32Array(1);
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const [argv, envp] = [stringTable(libc, args), stringTable(libc, variables)];
    // It returns its errno.
    const errno = symbols.posix_spawn(pid, cString(path), actions, 0n, argv, envp);
    symbols.posix_spawn_file_actions_destroy(actions);
    if (errno !== 0) throw new SystemError(`E${errno}`, "posix_spawn", path);
    return new Child(libc, pid[0] as number);
  }

  /** Sends a signal, unless it has ended. */
  kill(signal: number): void {
    if (!this.#ended) this.#libc.symbols.kill(this.pid, signal);
  }

  /** Waits until it has ended. */
  async ended(): Promise<Ended> {
    const status = new Int32Array(1);
    // It fails when a signal came in between.
    while (await this.#libc.symbols.waitpid_thread(this.pid, status, 0) !== this.pid);
    this.#ended = true;
    const word = status[0] as number;
    const signal = word & 0x7f;
    return signal === 0
      ? { status: word >> 8 & 0xff, signal: undefined }
      : { status: 128 + signal, signal };
  }
}
