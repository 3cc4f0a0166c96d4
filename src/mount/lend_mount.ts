/**
 * The launcher's side: it mounts, keeps the device while daemons come and go, and never reads a
 * request but the first (docs/mount.md#8).
 *
 * ```text
 * mount, answer INIT ─▶ start a daemon ─▶ wait for its end ─┬▶ stop wanted, or of no use: unmount
 *                              ▲                            └▶ RESEND ─┐
 *                              └───────────────────────────────────────┘
 * ```
 *
 * @module
 */
import { MOUNT_DEAD_MS, MOUNT_RESTART_WAIT_MS, MOUNT_RESTARTS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import { SystemError } from "../core/system_error.ts";
import { Child, type Ended } from "../native/child.ts";
import { O_CLOEXEC, O_NONBLOCK, SIGHUP, SIGKILL, SIGTERM } from "../native/constants.ts";
import { Descriptor } from "../native/descriptor.ts";
import type { FuseDevice } from "../native/fuse_device.ts";
import type { Libc } from "../native/libc.ts";
import { readText } from "../native/proc_text.ts";
import { waitReadable } from "../native/wait_readable.ts";
import { BEAT, type LentMount } from "./lent_mount.ts";
import { mountDevice } from "./mount_device.ts";
import { isSpoken, negotiate } from "./protocol/negotiation.ts";
import { initReply } from "./protocol/reply.ts";
import { decodeRequest } from "./protocol/request.ts";

/** How often a silent daemon is looked at before it counts as dead. */
const LOOKS = 4;

/** Exit statuses of a daemon that would end so again: wrong usage, folder in use, cannot listen. */
const OF_NO_USE: readonly number[] = [2, 3, 4];
/** The kernel sends the first request at once; it is waited for so long. */
const INIT_MS = 10_000;

/** How a mount is kept. */
interface LendOptions {
  readonly folder: string;
  /** Lets other users in. */
  readonly others: boolean;
  /** The program of the daemon, and its arguments. */
  readonly daemon: (lent: LentMount) => { readonly path: string; readonly args: readonly string[] };
  readonly env: Readonly<Record<string, string>>;
  readonly session: string;
  readonly clock: Clock;
  /** A daemon without a sign of life for so long is dead [{@linkcode MOUNT_DEAD_MS}]. */
  readonly deadMs?: number;
  /** Says something to the operator. */
  readonly say: (text: string) => void;
  /** Calls a function whenever a signal comes. */
  readonly onSignal: (
    signal: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR2",
    listener: () => void,
  ) => void;
}

/**
 * Mounts, and keeps the mount while daemons come and go, until it is told to stop.
 *
 * @returns The exit status of the last daemon
 * @throws {SystemError} as `mountDevice` does
 */
export async function lendMount(libc: Libc, options: LendOptions): Promise<number> {
  const { folder, others, clock } = options;
  const device = await mountDevice(libc, { folder, others, clock });
  try {
    await answerInit(libc, device);
    return await new Lender(libc, device, options).run();
  } finally {
    // Whoever still waits is answered by this.
    device.close();
  }
}

async function answerInit(libc: Libc, device: FuseDevice): Promise<void> {
  if (!await waitReadable(libc, device.fd, INIT_MS)) {
    throw new SystemError("ETIMEDOUT", "read", "/dev/fuse");
  }
  const message = device.read();
  if (message === undefined || message === "gone") {
    throw new SystemError("ENODEV", "read", "/dev/fuse");
  }
  const request = decodeRequest(message);
  if (request.op !== "init" || !isSpoken(request)) {
    throw new SystemError("EPROTO", "read", "/dev/fuse");
  }
  device.send(initReply(request.unique, negotiate(request)));
}

class Lender {
  readonly #libc: Libc;
  readonly #device: FuseDevice;
  readonly #options: LendOptions;
  #child: Child | undefined;
  #isStopping = false;
  /** Whether the daemon that runs now has come up. */
  #isServing = false;

  constructor(libc: Libc, device: FuseDevice, options: LendOptions) {
    this.#libc = libc;
    this.#device = device;
    this.#options = options;
    const { onSignal } = options;
    for (const signal of ["SIGTERM", "SIGINT"] as const) onSignal(signal, () => this.#stop());
    onSignal("SIGHUP", () => this.#child?.kill(SIGHUP));
    onSignal("SIGUSR2", () => this.#child?.kill(SIGTERM));
  }

  async run(): Promise<number> {
    const { say } = this.#options;
    for (let failed = 0;;) {
      this.#isServing = false;
      const { status, signal } = await this.#runDaemon();
      if (this.#isStopping || OF_NO_USE.includes(status)) return status;
      failed = this.#isServing ? 0 : failed + 1;
      const how = signal === undefined ? `with status ${status}` : `by signal ${signal}`;
      if (failed > MOUNT_RESTARTS_MAX || !this.#device.resend()) {
        say(`Cannot keep the mount: the daemon has ended ${how}, and no other comes up`);
        return status;
      }
      say(`The daemon has ended ${how}; it is started again, and the mount waits`);
      if (failed > 1) await this.#rest();
    }
  }

  #stop(): void {
    this.#isStopping = true;
    this.#child?.kill(SIGTERM);
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(MOUNT_RESTART_WAIT_MS, resolve));
  }

  async #runDaemon(): Promise<Ended> {
    const { daemon, env, session } = this.#options;
    const { folder, device, fd } = this.#device;
    const [read, write] = this.#pipe();
    using beats = read;
    let child: Child;
    {
      using given = write;
      // Numbers that are neither of both, so that none is taken for the other.
      const first = Math.max(fd, given.number) + 1;
      const launcher = this.#libc.symbols.getpid();
      const numbers = { fd: first, beat: first + 1 };
      const lent = { ...numbers, folder, device: String(device), session, launcher };
      const descriptors = [
        { own: fd, its: numbers.fd },
        { own: given.number, its: numbers.beat },
      ];
      child = Child.start(this.#libc, { ...daemon(lent), env, descriptors });
    }
    this.#child = child;
    if (this.#isStopping) child.kill(SIGTERM);
    const watched = this.#watch(child, beats);
    const ended = await child.ended();
    await watched;
    return ended;
  }

  /** Kills a daemon whose event loop is dead. One that is stopped is not. */
  async #watch(child: Child, beats: Descriptor): Promise<void> {
    const { clock, say, deadMs = MOUNT_DEAD_MS } = this.#options;
    const lookMs = deadMs / LOOKS;
    let hasBegun = false;
    let silentLooks = 0;
    for (;;) {
      const startMs = clock.monotonicMs();
      const isReady = await waitReadable(this.#libc, beats.number, lookMs);
      if (isReady) {
        silentLooks = 0;
        const room = new Uint8Array(64);
        const read = this.#libc.symbols.read(beats.number, room, BigInt(room.length));
        // The other end is closed: the daemon has ended.
        if (read === 0n) return;
        if (room.includes(BEAT.serving)) this.#isServing = true;
        hasBegun = true;
        continue;
      }
      // This process may have been stopped too. Who was stopped has its time from then on.
      const isOnTime = clock.monotonicMs() - startMs < 2 * lookMs;
      const mayBeDead = hasBegun && isOnTime && !this.#isStopped(child);
      silentLooks = mayBeDead ? silentLooks + 1 : 0;
      if (silentLooks < LOOKS) continue;
      say(`The daemon has not answered for ${deadMs / 1000} s; it is killed`);
      child.kill(SIGKILL);
      return;
    }
  }

  #isStopped({ pid }: Child): boolean {
    const stat = readText(this.#libc, `/proc/${pid}/stat`) ?? "";
    return /^[tT]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  }

  #pipe(): [Descriptor, Descriptor] {
    const fds = new Int32Array(2);
    const flags = O_CLOEXEC | O_NONBLOCK;
    this.#libc.check(this.#libc.symbols.pipe2(fds, flags), "pipe2", "the daemon's beat");
    const [read = -1, write = -1] = fds;
    return [
      new Descriptor(this.#libc, read, "the daemon's beat"),
      new Descriptor(this.#libc, write, "the daemon's beat"),
    ];
  }
}
