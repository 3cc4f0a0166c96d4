/**
 * The sysgenid driver's file (docs/mount.md#2): each open file is a watcher.
 *
 * @module
 */
import { Fault } from "../../core/faults.ts";
import { BARRIER_MS_MAX, MOUNT_RELEASE_RETRY_MS, U32_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import {
  SYSGENID_BYTES,
  sysgenidBytes,
  sysgenidGeneration,
} from "../../generations/sysgenid_page.ts";
import type { LiveScope } from "../../generations/live_scope.ts";
import { POLLERR, POLLIN, POLLRDNORM } from "../../native/constants.ts";
import type { SavedFile, SavedWatcher } from "../journal.ts";
import { type Callers, processName } from "../callers.ts";
import type { Call, OpenFile, ReadCall } from "../node.ts";
import { Refusal } from "../refusal.ts";

/** The driver's ioctl numbers: `_IO(0xE4, n)`, argument by value. */
const IOCTL_MAGIC = 0xe4;
type Operation = "track" | "wait" | "trigger";
/** By the driver's version: from 6 on tracking is asked for, before every open file is tracked. */
const OPERATIONS: Record<"opt-in" | "on open", readonly (Operation | undefined)[]> = {
  "opt-in": [undefined, "track", "wait", "trigger"],
  "on open": [undefined, "wait", "trigger"],
};

/** Where changes are noted that must not be made twice, by the number of their request. */
export interface ChangeNotes {
  readonly begun: ReadonlyMap<bigint, string>;
  begin(unique: bigint, mark: string): void;
}

/** What an open file needs beside its scope. */
interface SysgenidParts {
  readonly scope: LiveScope;
  readonly watcher: SavedWatcher;
  readonly callers: Callers;
  readonly clock: Clock;
  readonly changes: ChangeNotes;
  readonly backing: number | undefined;
  /** Path of the page that the program may store into. */
  readonly ownPage: string | undefined;
  /** Called when its readiness may have changed. */
  readonly wake: () => void;
  /** Called when it has confirmed an epoch. */
  readonly acked: (epoch: bigint) => void;
  readonly onClose: () => void;
}

/** One open file of the driver: one watcher, however many descriptors lead to it. */
export class OpenSysgenid implements OpenFile {
  readonly backing: number | undefined;
  readonly #parts: SysgenidParts;
  readonly #id: string;
  readonly #stopListening: () => void;
  #isGone = false;

  constructor(parts: SysgenidParts) {
    this.#parts = parts;
    this.#id = parts.watcher.id;
    this.backing = parts.backing;
    this.#stopListening = parts.scope.listen(({ kind }) => {
      if (kind === "deleted") this.#isGone = true;
      if (kind === "deleted" || kind === "generation") parts.wake();
    });
  }

  read({ size, nonblocking, signal }: ReadCall): Uint8Array | Promise<Uint8Array> {
    const { scope } = this.#parts;
    const id = this.#id;
    if (size < SYSGENID_BYTES) throw new Refusal("EINVAL");
    if (this.#isOutdated()) {
      scope.watchers.notified(id);
      return sysgenidBytes(scope.state.generation);
    }
    if (nonblocking) throw new Refusal("EAGAIN");
    return this.#readNext(signal);
  }

  async #readNext(signal: AbortSignal): Promise<Uint8Array> {
    const { scope } = this.#parts;
    const id = this.#id;
    while (!signal.aborted) {
      const bump = await scope.watchers.read(id, BARRIER_MS_MAX, signal);
      if (bump !== undefined) return sysgenidBytes(scope.state.generation);
    }
    throw new Refusal("EINTR");
  }

  write(bytes: Uint8Array<ArrayBuffer>): number {
    const { scope, acked } = this.#parts;
    const id = this.#id;
    if (bytes.byteLength !== SYSGENID_BYTES) throw new Refusal("ENOBUFS");
    scope.watchers.ack(id, sysgenidGeneration(bytes));
    acked(scope.state.epoch);
    return SYSGENID_BYTES;
  }

  saved(): SavedFile {
    const { ownPage, watcher } = this.#parts;
    return { ownPage, watcher };
  }

  ioctl(command: number, argument: bigint, call: Call): number | Promise<number> {
    const { scope } = this.#parts;
    const id = this.#id;
    const numbers = OPERATIONS[scope.state.options.trackOnOpen ? "on open" : "opt-in"];
    const operation = command >>> 8 === IOCTL_MAGIC ? numbers[command & 0xff] : undefined;
    switch (operation) {
      case "track":
        return scope.watchers.track(id, argument !== 0n).then(() => 0);
      case "wait":
        return this.#wait(Number(argument), call);
      case "trigger":
        return this.#trigger(argument, call);
      case undefined:
        throw new Refusal("EINVAL");
    }
  }

  poll(): number {
    if (this.#isGone) return POLLERR;
    return this.#isOutdated() ? POLLIN | POLLRDNORM : 0;
  }

  close(): void {
    this.#stopListening();
    this.#parts.onClose();
    this.#release();
  }

  lose(): void {
    this.#stopListening();
    this.#parts.onClose();
    const { scope } = this.#parts;
    const id = this.#id;
    scope.watchers.leave(id, undefined).catch(() => this.#release());
  }

  /** A close cannot fail, and a watcher that stayed would block every barrier: so try again. */
  #release(): void {
    const { scope, clock } = this.#parts;
    const id = this.#id;
    scope.watchers.release(id).catch((error: unknown) => {
      if (error instanceof Fault && error.kind === "missing") return;
      clock.after(MOUNT_RELEASE_RETRY_MS, () => this.#release());
    });
  }

  #isOutdated(): boolean {
    const { state } = this.#parts.scope;
    // The fault of a released watcher stands for a deleted scope here.
    return state.isOutdated(state.watcher(this.#id));
  }

  /** @param timeoutMs 0 waits for ever */
  async #wait(timeoutMs: number, { signal }: Call): Promise<number> {
    const { scope, clock } = this.#parts;
    const id = this.#id;
    const { epoch } = scope.state;
    const endMs = timeoutMs === 0 ? Infinity : clock.monotonicMs() + timeoutMs;
    for (;;) {
      // A timer of the platform that is too long fires at once.
      const waitMs = Math.min(endMs - clock.monotonicMs(), BARRIER_MS_MAX);
      try {
        await scope.barrier({ epoch, watcher: id }, { waitMs, signal });
        return 0;
      } catch (error) {
        if (signal.aborted) throw new Refusal("EINTR");
        const isTime = error instanceof Fault && error.errno === "ETIME";
        if (!isTime || clock.monotonicMs() >= endMs) throw error;
      }
    }
  }

  async #trigger(minimum: bigint, call: Call): Promise<number> {
    const { callers, changes, scope } = this.#parts;
    const process = callers.requireTrigger(call, { kind: "scopes", name: scope.state.name });
    if (minimum > BigInt(U32_MAX)) throw new Refusal("EINVAL");
    if (this.#isMade(call.unique, Number(minimum))) return 0;
    changes.begin(call.unique, String(scope.state.epoch));
    const by = `mount ${processName(process)}`;
    await scope.bump({ minimum: Number(minimum), reason: "triggered", by });
    return 0;
  }

  /**
   * Whether a request that came before, to an earlier process, was carried out. Somebody else's bump
   * since then will do as well.
   */
  #isMade(unique: bigint, minimum: number): boolean {
    const { changes, scope } = this.#parts;
    const before = changes.begun.get(unique);
    if (before === undefined) return false;
    return scope.state.epoch > BigInt(before) && scope.state.generation >= minimum;
  }
}
