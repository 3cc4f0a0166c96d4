/** A process, by what tells it from every other one of its host, also after it has ended. */
export interface ProcessIdentity {
  /** Of the kernel that runs it: `/proc/sys/kernel/random/boot_id`. */
  readonly bootId: string;
  /** In which its number counts: the number in the link `/proc/self/ns/pid`. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** When it started, in clock ticks after the boot: field 22 of `/proc/self/stat`. */
  readonly startTime: string;
}

/** What the host can prove of processes. When in doubt, each answer is `false`. */
export interface Processes {
  /**
   * Whether a process is there as it says of itself and holds the other end of one of this
   * daemon's own connections, by the credentials that the kernel gives.
   */
  isPeer(process: ProcessIdentity): boolean;
  /** Whether a process that was a peer once has ended: it is proven dead. */
  isGone(process: ProcessIdentity): boolean;
}

/** For a host that cannot prove anything. */
export const UNPROVABLE: Processes = { isPeer: () => false, isGone: () => false };

/** Whether two processes are known and are one. */
export function isSameProcess(
  one: ProcessIdentity | undefined,
  other: ProcessIdentity | undefined,
): boolean {
  return one !== undefined && other !== undefined && one.pid === other.pid &&
    one.startTime === other.startTime && one.bootId === other.bootId &&
    one.pidNamespace === other.pidNamespace;
}
