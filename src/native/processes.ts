import { AT_FDCWD, O_CLOEXEC, O_PATH } from "./constants.ts";
import { cString, type Libc } from "./libc.ts";
import { readText } from "./proc_text.ts";

/** Place of the start time among the fields of /proc/PID/stat after the name. */
const START_FIELD = 19;

/** What the kernel says of a process. */
export interface ProcessInfo {
  /** The process, where a thread was asked for. */
  readonly pid: number;
  readonly comm: string;
  /** Effective capabilities. */
  readonly capabilities: bigint;
  /** Whether those count in the daemon's own user namespace. */
  readonly isOurNamespace: boolean;
  /** When it began, in clock ticks since boot: tells it from another one of the same number. */
  readonly startTicks: string;
}

const decoder = new TextDecoder();

/**
 * Looks at processes through /proc, without waiting. It reads nothing that takes a lock of the
 * process's memory: the caller may be in the middle of mmap().
 */
export class Processes {
  readonly #libc: Libc;
  readonly #ownNamespace: string | undefined;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#ownNamespace = this.#link("/proc/self/ns/user");
  }

  /** @param thread A process or a thread of it. @returns `undefined` when it cannot be seen */
  info(thread: number): ProcessInfo | undefined {
    if (thread === 0) return undefined;
    const status = readText(this.#libc, `/proc/${thread}/status`);
    const line = (name: string): string | undefined =>
      new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status ?? "")?.[1];
    const pid = Number(line("Tgid") ?? NaN);
    const startTicks = this.startTicks(pid);
    if (Number.isNaN(pid) || startTicks === undefined) return undefined;
    const namespace = this.#link(`/proc/${thread}/ns/user`);
    return {
      pid,
      comm: readText(this.#libc, `/proc/${pid}/comm`)?.trimEnd() ?? "",
      capabilities: BigInt(`0x${line("CapEff") ?? "0"}`),
      isOurNamespace: namespace !== undefined && namespace === this.#ownNamespace,
      startTicks,
    };
  }

  /** Whether a thread is one of this process. */
  isOwnThread(thread: number): boolean {
    const fd = this.#libc.symbols.open(cString(`/proc/self/task/${thread}`), O_PATH | O_CLOEXEC, 0);
    if (fd >= 0) this.#libc.symbols.close(fd);
    return fd >= 0;
  }

  /** When a process began, in clock ticks since boot; `undefined` when it cannot be seen. */
  startTicks(pid: number): string | undefined {
    const stat = readText(this.#libc, `/proc/${pid}/stat`);
    // The name is in parentheses and may hold some itself.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields?.[START_FIELD];
  }

  #link(path: string): string | undefined {
    const bytes = new Uint8Array(256);
    const { readlinkat } = this.#libc.symbols;
    const read = readlinkat(AT_FDCWD, cString(path), bytes, BigInt(bytes.byteLength));
    return read < 0n ? undefined : decoder.decode(bytes.subarray(0, Number(read)));
  }
}
