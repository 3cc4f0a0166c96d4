/**
 * The daemon's side of a mount that the launcher keeps (docs/mount.md#8).
 *
 * @module
 */
import { MOUNT_BEAT_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import { SystemError } from "../core/system_error.ts";
import { F_SETFD, FD_CLOEXEC, PR_SET_PDEATHSIG, SIGKILL } from "../native/constants.ts";
import { FuseDevice, type LentDevice } from "../native/fuse_device.ts";
import type { Libc } from "../native/libc.ts";
import { ReadinessLoop } from "../native/readiness_loop.ts";
import { MountServer } from "./server.ts";

/** What the daemon says on the pipe to the launcher. */
export const BEAT = { starting: 1, serving: 2 } as const;

/** A mount that the launcher keeps, as it tells the daemon of it. */
export interface LentMount extends LentDevice {
  /** Names the mount: what a journal of another one says is nothing to it. */
  readonly session: string;
  /** The launcher's process. When it ends, so does the daemon. */
  readonly launcher: number;
  /** A pipe on which the daemon says that it lives. */
  readonly beat: number;
}

/**
 * The device from the start of the daemon on, when it cannot serve yet. What the daemon itself asks for
 * is refused all the same: it would never begin to serve while it waits for that.
 */
export class Borrowed {
  readonly device: FuseDevice;
  readonly loop: ReadinessLoop;
  readonly session: string;
  readonly #messages: Uint8Array<ArrayBuffer>[] = [];
  readonly #stopReading: () => void;
  readonly #sendBeat: () => void;
  readonly #closeBeat: () => void;
  #state: keyof typeof BEAT = "starting";
  #isClosed = false;
  #cancelBeat: (() => void) | undefined;

  /** @throws {SystemError} ESRCH when the launcher has ended already */
  constructor(libc: Libc, lent: LentMount, clock: Clock) {
    libc.symbols.prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL));
    if (libc.symbols.getppid() !== lent.launcher) {
      throw new SystemError("ESRCH", "getppid", "the launcher");
    }
    libc.symbols.fcntl(lent.beat, F_SETFD, FD_CLOEXEC);
    this.session = lent.session;
    this.device = FuseDevice.borrow(libc, lent);
    this.loop = new ReadinessLoop(libc);
    this.#stopReading = this.loop.add({ fd: this.device.fd, work: () => this.#read() });
    this.#sendBeat = () => {
      libc.symbols.write(lent.beat, Uint8Array.of(BEAT[this.#state]), 1n);
    };
    this.#closeBeat = () => libc.symbols.close(lent.beat);
    this.#beat(clock);
  }

  /** Stops reading. @returns The requests that came meanwhile, in their order */
  take(): readonly Uint8Array<ArrayBuffer>[] {
    this.#stopReading();
    this.#state = "serving";
    this.#sendBeat();
    return this.#messages.splice(0);
  }

  /** Serves no longer. The mount, and what is open in it, stays for the next daemon. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelBeat?.();
    // Nobody watches how long it takes from here on to write everything back.
    this.#closeBeat();
    await this.loop.close();
    this.device.close();
  }

  #read(): boolean {
    try {
      const message = this.device.read();
      if (message === undefined || message === "gone") return false;
      const refusal = MountServer.refusalOf(message, this.device);
      if (refusal === undefined) this.#messages.push(message.slice());
      else this.device.send(refusal);
      return true;
    } catch {
      // The device has failed, which is said when it is to be served.
      this.#stopReading();
      return false;
    }
  }

  #beat(clock: Clock): void {
    this.#sendBeat();
    this.#cancelBeat = clock.after(MOUNT_BEAT_MS, () => this.#beat(clock));
  }
}
