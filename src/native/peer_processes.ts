import type { Processes, ProcessIdentity } from "../core/ports/processes.ts";
import { PROVEN_PROCESSES_MAX } from "../core/limits.ts";
import { hasErrno } from "../core/system_error.ts";
import { O_DIRECTORY, O_RDONLY, SO_PEERCRED, SOL_SOCKET, UCRED_STRUCT } from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";
import { readLinkAt } from "./read_link.ts";

/** Files of procfs that are read here are far shorter. */
const PROC_FILE_BYTES = 4096;

/**
 * The processes on the other ends of this daemon's unix sockets, as the kernel knows them. Whatever
 * cannot be read proves nothing.
 */
export class PeerProcesses implements Processes {
  readonly #libc: Libc;
  readonly #bootId: string;
  readonly #pidNamespace: string;
  /** Processes that were peers: what they say of themselves was true, and their like is unique. */
  readonly #proven = new Set<string>();

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#bootId = this.#read("/proc/sys/kernel/random/boot_id") ?? "";
    using folder = openPath(libc, "/proc/self/ns", O_RDONLY | O_DIRECTORY);
    const link = new TextDecoder().decode(readLinkAt(folder, "pid", "/proc/self/ns/pid"));
    this.#pidNamespace = /[0-9]+/.exec(link)?.[0] ?? "";
  }

  isPeer(process: ProcessIdentity): boolean {
    if (!this.#isOurs(process) || this.#startOf(process.pid) !== process.startTime) return false;
    const key = `${process.pid} ${process.startTime}`;
    if (this.#proven.has(key)) return true;
    if (!this.#holdsConnection(process.pid)) return false;
    if (this.#proven.size >= PROVEN_PROCESSES_MAX) this.#proven.clear();
    this.#proven.add(key);
    return true;
  }

  isGone(process: ProcessIdentity): boolean {
    if (!this.#isOurs(process)) return false;
    const start = this.#startOf(process.pid);
    return start !== "unknown" && start !== process.startTime;
  }

  /** Whether its number means here what it means where it was told. */
  #isOurs({ bootId, pidNamespace }: ProcessIdentity): boolean {
    return this.#bootId !== "" && bootId === this.#bootId && pidNamespace === this.#pidNamespace;
  }

  /** When a process started; `undefined` when there is none of this number, or only its corpse. */
  #startOf(pid: number): string | undefined {
    const stat = this.#read(`/proc/${pid}/stat`);
    if (stat === undefined) return this.#exists(pid) ? "unknown" : undefined;
    // The name in parentheses may hold anything, so fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = ""] = fields;
    return "ZXx".includes(state) ? undefined : fields[19] ?? "unknown";
  }

  /** Only an error that says so proves that there is no such process. */
  #exists(pid: number): boolean {
    try {
      openPath(this.#libc, `/proc/${pid}`, O_RDONLY | O_DIRECTORY)[Symbol.dispose]();
      return true;
    } catch (error) {
      return !hasErrno(error, "ENOENT");
    }
  }

  #holdsConnection(pid: number): boolean {
    try {
      using folder = openPath(this.#libc, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
      return readDirents(folder).some(({ name }) => {
        const number = Number(new TextDecoder().decode(name));
        return this.#peerOf(number) === pid;
      });
    } catch {
      return false;
    }
  }

  /** The process at the other end of a unix socket, by the credentials of its connect(2). */
  #peerOf(number: number): number | undefined {
    const credentials = new DataView(new ArrayBuffer(UCRED_STRUCT.size));
    const size = Int32Array.of(UCRED_STRUCT.size);
    const { getsockopt } = this.#libc.symbols;
    const result = getsockopt(number, SOL_SOCKET, SO_PEERCRED, credentials, size);
    return result === 0 ? credentials.getInt32(UCRED_STRUCT.pid, true) : undefined;
  }

  #read(path: string): string | undefined {
    try {
      using file: Descriptor = openPath(this.#libc, path, O_RDONLY);
      const bytes = new Uint8Array(PROC_FILE_BYTES);
      const count = this.#libc.symbols.read(file.number, bytes, BigInt(bytes.length));
      this.#libc.check(count, "read", path);
      return new TextDecoder().decode(bytes.subarray(0, Number(count))).trim();
    } catch {
      return undefined;
    }
  }
}
