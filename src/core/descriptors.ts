import {
  CONNECTIONS_MAX,
  DESCRIPTORS_OWN,
  DESCRIPTORS_PER_GUEST,
  DESCRIPTORS_PER_INODE,
  DESCRIPTORS_RESERVED_DIVISOR,
  DESCRIPTORS_RESERVED_MAX,
  DESCRIPTORS_RESERVED_MIN,
  DESCRIPTORS_SHARED_MIN,
  GUESTS_MAX,
  OPEN_INODES_MAX,
  STRANGERS_MAX,
} from "./limits.ts";

/** What clients make the daemon open, as people say it. */
type DescriptorUse = "connections" | "inodes" | "guests";

const USES: readonly DescriptorUse[] = ["connections", "inodes", "guests"];

/** The part of the shared descriptors that one use may have, so that none starves the others. */
const SHARE = 3 / 4;

/** The most that a use needs, however many there are. */
const NEEDED: Readonly<Record<DescriptorUse, number>> = {
  connections: CONNECTIONS_MAX + STRANGERS_MAX,
  inodes: OPEN_INODES_MAX * DESCRIPTORS_PER_INODE,
  guests: GUESTS_MAX * DESCRIPTORS_PER_GUEST,
};

/**
 * The file descriptors that clients may make the daemon open. The process has a limit of them; what
 * it needs itself and a reserve are taken off first, so that it never meets that limit. Where it
 * does, Deno itself can fail in the middle of something.
 */
export class Descriptors {
  /** The most that all uses have together. */
  readonly shared: number;
  readonly #used: Record<DescriptorUse, number> = { connections: 0, inodes: 0, guests: 0 };

  /**
   * @param limit The limit of the process: RLIMIT_NOFILE
   * @param open How many are open before clients come
   */
  constructor(readonly limit: number, open: number) {
    const reserved = Math.min(
      DESCRIPTORS_RESERVED_MAX,
      Math.max(DESCRIPTORS_RESERVED_MIN, Math.floor(limit / DESCRIPTORS_RESERVED_DIVISOR)),
    );
    this.shared = limit - open - DESCRIPTORS_OWN - reserved;
  }

  /** Whether the daemon can work with what is left for clients. */
  get isEnough(): boolean {
    return this.shared >= DESCRIPTORS_SHARED_MIN;
  }

  /** Why a daemon cannot start with them. */
  get tooFew(): string {
    return `Cannot start with ${this.limit} file descriptors: ${this.shared} are left for clients, ` +
      `and ${DESCRIPTORS_SHARED_MIN} are needed; raise ulimit -n (LimitNOFILE= of the service)`;
  }

  /** How much of everything there can be. */
  get fits(): Readonly<Record<"limit" | DescriptorUse, number>> {
    return {
      limit: this.limit,
      connections: this.share("connections"),
      inodes: Math.floor(this.share("inodes") / DESCRIPTORS_PER_INODE),
      guests: Math.floor(this.share("guests") / DESCRIPTORS_PER_GUEST),
    };
  }

  /** The most that a use may have. */
  share(use: DescriptorUse): number {
    return Math.min(NEEDED[use], Math.floor(this.shared * SHARE));
  }

  /** How many more a use may take now. */
  free(use: DescriptorUse): number {
    const all = USES.reduce((sum, one) => sum + this.#used[one], 0);
    return Math.min(this.share(use) - this.#used[use], this.shared - all);
  }

  /** Takes some, and says whether there were as many. Otherwise none is taken. */
  take(use: DescriptorUse, count: number): boolean {
    if (this.free(use) < count) return false;
    this.#used[use] += count;
    return true;
  }

  /** Gives some back. */
  give(use: DescriptorUse, count: number): void {
    this.#used[use] -= count;
  }

  /** Why there are no more for a use, and what an operator can raise. */
  reason(use: DescriptorUse): string {
    return `${this.#used[use]} of the ${
      this.share(use)
    } file descriptors for ${use} are in use, and ` +
      `${this.limit} is the limit of the process: close some, or raise it with ulimit -n ` +
      "(LimitNOFILE= of its service)";
  }
}
