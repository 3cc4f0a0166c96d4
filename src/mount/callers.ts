import type { UserGrant } from "../access/grants.ts";
import { Principal } from "../access/tokens.ts";
import { NAME_CHARS_MAX } from "../core/limits.ts";
import type { Caller, Permission, Target } from "../core/rights.ts";
import type { ProcessInfo } from "../native/processes.ts";
import type { Call } from "./node.ts";
import { Refusal } from "./refusal.ts";

/** Bits of capabilities(7). Either of them lets a program trigger, as the driver has it. */
const CAP_SYS_ADMIN = 1n << 21n;
const CAP_CHECKPOINT_RESTORE = 1n << 40n;

/** Looks at processes. */
interface ProcessTable {
  info(thread: number): ProcessInfo | undefined;
}

/** Knows who calls, and what each may do (docs/mount.md#4). */
export class Callers {
  readonly #processes: ProcessTable;
  readonly #principals = new Map<number, Principal>();

  /** @param ownUid The daemon's own user */
  constructor(processes: ProcessTable, ownUid: number, users: readonly UserGrant[]) {
    this.#processes = processes;
    // A container's root has uid 0 too, so that alone must not be enough to trigger.
    const own = { uid: ownUid, grants: ownUid === 0 ? ["read", "watch", "guest"] : ["admin"] };
    for (const { uid, grants } of [own, ...users]) {
      this.#principals.set(uid, new Principal(`uid:${uid}`, grants));
    }
  }

  /** @throws {Refusal} EACCES for a user without any permission */
  known({ uid }: Call): Caller {
    const caller = this.#principals.get(uid);
    if (caller === undefined) throw new Refusal("EACCES");
    return caller;
  }

  /**
   * The caller, who must have a permission.
   *
   * @throws {Refusal} EACCES
   */
  require(call: Call, permission: Permission, on: Target): Caller {
    const caller = this.known(call);
    if (!caller.may(permission, on)) throw new Refusal("EACCES");
    return caller;
  }

  /**
   * Only who may bump may trigger: by the user's permission, or by a capability that counts in the
   * daemon's own user namespace. In one of its own, anybody shows all capabilities.
   *
   * @returns The caller's process; `undefined` when it cannot be seen from here
   * @throws {Refusal} EACCES
   */
  requireTrigger(call: Call, on: Target): ProcessInfo | undefined {
    const process = this.process(call);
    if (this.#principals.get(call.uid)?.may("bump", on) === true) return process;
    const capable = (process?.capabilities ?? 0n) & (CAP_SYS_ADMIN | CAP_CHECKPOINT_RESTORE);
    if (capable === 0n || process?.isOurNamespace !== true) throw new Refusal("EACCES");
    return process;
  }

  /** @returns `undefined` when the caller cannot be seen from here */
  process({ pid }: Call): ProcessInfo | undefined {
    return this.#processes.info(pid);
  }
}

/** How a watcher of a process is called: `<comm>-<pid>` in the characters of a name. */
export function processName(process: ProcessInfo | undefined): string {
  if (process === undefined) return "unseen-0";
  const comm = process.comm.toLowerCase().replace(/[^a-z0-9._-]/g, "-").replace(/^[._-]+/, "");
  return `${comm === "" ? "process" : comm}-${process.pid}`.slice(-NAME_CHARS_MAX);
}
