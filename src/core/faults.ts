/**
 * Everything that Innkeeper refuses or fails to do. A fault has a stable code, a POSIX name and
 * whether trying again can help; it knows nothing of HTTP.
 *
 * @module
 */
import type { Errno } from "./errno.ts";
import type { Caller, Target } from "./rights.ts";

/** The sort of a fault. The wire maps each kind to one HTTP status. */
export type FaultKind =
  | "malformed"
  | "unauthenticated"
  | "forbidden"
  | "missing"
  | "wrong-method"
  | "conflict"
  | "gone"
  | "stale"
  | "too-large"
  | "wrong-type"
  | "unsatisfiable"
  | "invalid"
  | "unavailable"
  | "exhausted"
  | "internal";

interface FaultSpec {
  readonly kind: FaultKind;
  readonly errno?: Errno;
  readonly title: string;
  /** The same request may succeed later. */
  readonly retryable?: true;
}

/** Every fault code with its meaning. A code is never renamed or given another meaning. */
export const FAULTS = {
  // requests
  "malformed-request": { kind: "malformed", errno: "EINVAL", title: "Request cannot be read" },
  "wrong-length": { kind: "malformed", errno: "ENOBUFS", title: "Wrong number of bytes" },
  "bad-name": { kind: "invalid", errno: "EINVAL", title: "Name is not allowed" },
  "value-not-allowed": { kind: "invalid", errno: "EINVAL", title: "Value is not allowed" },
  "token-missing": { kind: "unauthenticated", errno: "EACCES", title: "Token is missing" },
  "token-unknown": { kind: "unauthenticated", errno: "EACCES", title: "Token is unknown" },
  "not-permitted": { kind: "forbidden", errno: "EACCES", title: "Not permitted" },
  "host-not-allowed": { kind: "forbidden", errno: "EACCES", title: "Host is not allowed" },
  "origin-not-allowed": { kind: "forbidden", errno: "EACCES", title: "Origin is not allowed" },
  "no-such-path": { kind: "missing", errno: "ENOENT", title: "No such path" },
  "method-not-allowed": { kind: "wrong-method", errno: "EINVAL", title: "Method is not allowed" },
  "body-too-large": { kind: "too-large", errno: "E2BIG", title: "Body is too large" },
  "wrong-media-type": { kind: "wrong-type", errno: "EINVAL", title: "Media type is not accepted" },
  "ticket-unknown": { kind: "unauthenticated", errno: "EACCES", title: "Ticket is unknown" },
  "listener-not-found": { kind: "missing", errno: "ENOENT", title: "Listener is unknown" },
  "listeners-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many listeners" },
  "path-taken": { kind: "conflict", errno: "EEXIST", title: "Path is taken" },
  "path-unusable": { kind: "invalid", errno: "EINVAL", title: "Path cannot be used" },
  "tickets-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many tickets" },
  "key-reused": { kind: "invalid", errno: "EINVAL", title: "Idempotency key was used otherwise" },
  "answer-not-kept": { kind: "invalid", errno: "EEXIST", title: "Request was carried out before" },
  "keys-exhausted": {
    kind: "unavailable",
    errno: "EAGAIN",
    title: "Too many Idempotency-Keys",
    retryable: true,
  },
  "connections-exhausted": {
    kind: "unavailable",
    errno: "EMFILE",
    title: "Too many connections",
    retryable: true,
  },
  "followers-exhausted": { kind: "exhausted", errno: "EMFILE", title: "Too many followers" },
  "range-not-satisfiable": {
    kind: "unsatisfiable",
    errno: "EINVAL",
    title: "Range is not satisfiable",
  },
  "internal-error": { kind: "internal", errno: "EIO", title: "Innkeeper made a mistake" },
  "shutting-down": {
    kind: "unavailable",
    errno: "EAGAIN",
    title: "Innkeeper is shutting down",
    retryable: true,
  },
  "state-unavailable": {
    kind: "unavailable",
    errno: "EIO",
    title: "State cannot be written",
    retryable: true,
  },

  // generations
  "scope-not-found": { kind: "missing", errno: "ENOENT", title: "Scope is unknown" },
  "scope-in-use": { kind: "conflict", errno: "EBUSY", title: "Scope is in use" },
  "scopes-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many scopes" },
  "watcher-not-found": { kind: "missing", errno: "ENOENT", title: "Watcher is unknown" },
  "watcher-not-owned": {
    kind: "forbidden",
    errno: "EPERM",
    title: "Another principal registered the watcher",
  },
  "watchers-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many watchers" },
  "not-watching": { kind: "conflict", errno: "EINVAL", title: "Connection does not watch this" },
  "bump-not-permitted": { kind: "forbidden", errno: "EACCES", title: "Bump is not permitted" },
  "minimum-out-of-range": { kind: "invalid", errno: "EINVAL", title: "Minimum is out of range" },
  "watcher-token-spent": {
    kind: "conflict",
    errno: "ESTALE",
    title: "Another has called as this watcher",
  },
  "stale-generation": { kind: "conflict", errno: "EINVAL", title: "Generation is not current" },
  "watchers-outdated": {
    kind: "conflict",
    errno: "ETIME",
    title: "Watchers have not confirmed",
    retryable: true,
  },
  "watchers-failed": { kind: "conflict", errno: "EIO", title: "Watchers could not adapt" },
  "watchers-lost": { kind: "conflict", errno: "ETIME", title: "Watchers were lost" },
  "expectations-unmet": {
    kind: "conflict",
    errno: "ETIME",
    title: "Somebody who is expected has not confirmed",
    retryable: true,
  },
  "already-confirmed": { kind: "conflict", errno: "EINVAL", title: "Generation is confirmed" },
  "not-quiesced": {
    kind: "conflict",
    errno: "EBUSY",
    title: "Watchers have not quiesced",
    retryable: true,
  },
  "not-quiescing": { kind: "conflict", errno: "EINVAL", title: "No quiesce is on" },
  "generation-changed": {
    kind: "conflict",
    errno: "EINTR",
    title: "Generation changed",
    retryable: true,
  },
  "caller-outdated": { kind: "conflict", errno: "EINTR", title: "Caller is outdated itself" },
  "page-unusable": { kind: "conflict", errno: "EINVAL", title: "Page file cannot be used" },

  // devices
  "device-not-found": { kind: "missing", errno: "ENODEV", title: "Device is unknown" },
  "no-such-device": { kind: "missing", errno: "ENODEV", title: "Host has no such device" },
  "device-path-escapes": {
    kind: "invalid",
    errno: "EINVAL",
    title: "Device name leads out of /dev",
  },
  "device-unreadable": { kind: "conflict", errno: "EIO", title: "Device cannot be read" },
  "wrong-device-kind": { kind: "conflict", errno: "EINVAL", title: "Device is of another kind" },
  "mapping-not-found": { kind: "missing", errno: "ENOENT", title: "Mapping is unknown" },
  "mapping-conflict": { kind: "conflict", errno: "EEXIST", title: "Mapping is taken" },
  "minors-exhausted": { kind: "exhausted", errno: "EMFILE", title: "No minor is left" },
  "inodes-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "No inode number is left" },
  "mappings-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many mappings" },
  "device-attached": { kind: "conflict", errno: "EBUSY", title: "Device has holders" },
  "device-not-attached": { kind: "conflict", errno: "EINVAL", title: "Device has no holder" },
  "device-in-use": { kind: "conflict", errno: "EBUSY", title: "Another sandbox has the device" },
  "device-differs": { kind: "conflict", errno: "EEXIST", title: "Device is known otherwise" },
  "devices-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many host devices" },
  "block-indexes-exhausted": {
    kind: "exhausted",
    errno: "ENOSPC",
    title: "No block index is left",
  },
  "root-ports-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "No root port is left" },
  "iommu-group-unusable": { kind: "conflict", errno: "EINVAL", title: "IOMMU group is of no use" },
  "not-persistent-memory": {
    kind: "invalid",
    errno: "EINVAL",
    title: "File is no persistent memory",
  },
  "not-renderable": {
    kind: "invalid",
    errno: "EINVAL",
    title: "Hypervisor cannot take the device",
  },
  "image-version": { kind: "invalid", errno: "EINVAL", title: "Image has an unknown version" },
  "image-contradicts": { kind: "invalid", errno: "EINVAL", title: "Image contradicts itself" },
  "image-stale": { kind: "stale", errno: "ESTALE", title: "Registry has changed" },
  "device-set-differs": { kind: "conflict", errno: "EINVAL", title: "Image has other devices" },
  "registry-not-empty": { kind: "conflict", errno: "EBUSY", title: "Registry has devices" },

  // inodes
  "root-not-found": { kind: "missing", errno: "ENOENT", title: "Root is unknown" },
  "outside-root": { kind: "forbidden", errno: "EXDEV", title: "Path leads out of its root" },
  "root-read-only": { kind: "forbidden", errno: "EROFS", title: "Root is read-only" },
  "file-not-found": { kind: "missing", errno: "ENOENT", title: "File does not exist" },
  "file-exists": { kind: "conflict", errno: "EEXIST", title: "File exists" },
  "file-not-permitted": { kind: "forbidden", errno: "EACCES", title: "File may not be opened" },
  "not-a-file": { kind: "invalid", errno: "EISDIR", title: "Not a regular file" },
  "inode-not-found": { kind: "missing", errno: "ENOENT", title: "Inode is unknown" },
  "inode-mode-differs": { kind: "conflict", errno: "EBUSY", title: "Inode is open otherwise" },
  "inode-stale": { kind: "stale", errno: "ESTALE", title: "Inode has changed" },
  "inode-mapped": { kind: "conflict", errno: "EBUSY", title: "Inode is mapped" },
  "not-mapped": { kind: "conflict", errno: "EINVAL", title: "Range is not mapped" },
  "reference-not-found": { kind: "missing", errno: "ENOENT", title: "Reference is unknown" },
  "inode-read-only": { kind: "forbidden", errno: "EROFS", title: "Inode is read-only" },
  "holder-not-found": { kind: "missing", errno: "ENOENT", title: "Holder is unknown" },
  "open-inodes-exhausted": { kind: "exhausted", errno: "EMFILE", title: "Too many open inodes" },
  "holders-exhausted": { kind: "exhausted", errno: "EMFILE", title: "Too many holders" },
  "backing-failed": {
    kind: "unavailable",
    errno: "EIO",
    title: "Backing file failed",
    retryable: true,
  },
  "backing-full": {
    kind: "exhausted",
    errno: "ENOSPC",
    title: "Backing file system is full",
    retryable: true,
  },
  "remote-redirects": {
    kind: "conflict",
    errno: "EXDEV",
    title: "Remote file is at another address",
  },
  "remote-without-ranges": {
    kind: "conflict",
    errno: "EOPNOTSUPP",
    title: "Remote server sends no ranges",
  },
  "remote-coded": { kind: "conflict", errno: "EPROTO", title: "Remote server sends coded content" },
  "remote-refuses": { kind: "conflict", errno: "EINVAL", title: "Remote server refuses requests" },
  "remote-untrusted": {
    kind: "conflict",
    errno: "EACCES",
    title: "Remote server cannot be trusted",
  },
  "remote-unreachable": {
    kind: "unavailable",
    errno: "EIO",
    title: "Remote server cannot be reached",
    retryable: true,
  },
  "remote-timed-out": {
    kind: "unavailable",
    errno: "ETIMEDOUT",
    title: "Remote server takes too long",
    retryable: true,
  },
  "remote-failed": {
    kind: "unavailable",
    errno: "EIO",
    title: "Remote server failed",
    retryable: true,
  },
  "backing-changed": { kind: "stale", errno: "ESTALE", title: "Backing file changed" },
  "leftover-not-found": {
    kind: "missing",
    errno: "ENOENT",
    title: "No unsaved bytes have this id",
  },
  "file-in-use": { kind: "conflict", errno: "EBUSY", title: "File is open as an inode" },
  "cache-full": {
    kind: "unavailable",
    errno: "EAGAIN",
    title: "Cache is full of unsaved pages",
    retryable: true,
  },

  // guests
  "guest-not-found": { kind: "missing", errno: "ENOENT", title: "Guest is unknown" },
  "already-initialized": { kind: "conflict", errno: "EBUSY", title: "Guest exists already" },
  "guests-exhausted": { kind: "exhausted", errno: "ENOMEM", title: "Too many guests" },
  "memory-exhausted": { kind: "exhausted", errno: "ENOMEM", title: "Guest memory is used up" },
  "not-owner": { kind: "forbidden", errno: "EPERM", title: "Caller does not own the guest" },
  "already-running": { kind: "conflict", errno: "EBUSY", title: "Guest runs already" },
  "wrong-state": { kind: "conflict", errno: "EINVAL", title: "Guest is in another state" },
  "guest-dead": { kind: "gone", errno: "ENOENT", title: "Guest is dead" },
  "line-out-of-range": { kind: "invalid", errno: "EINVAL", title: "No such interrupt line" },
  "vcpu-out-of-range": { kind: "invalid", errno: "EINVAL", title: "No such vCPU" },
  "register-unknown": { kind: "missing", errno: "ENOENT", title: "No such register" },
  "register-read-only": { kind: "forbidden", errno: "EPERM", title: "Register is read-only" },
  "address-out-of-range": {
    kind: "invalid",
    errno: "EINVAL",
    title: "Address is outside the guest's memory",
  },
  "channel-not-found": { kind: "missing", errno: "ENOENT", title: "Channel is unknown" },
  "channels-exhausted": { kind: "exhausted", errno: "ENOMEM", title: "Too many channels" },
  "wrong-guest-kind": { kind: "invalid", errno: "EINVAL", title: "Guest is of another kind" },
  "console-input-full": {
    kind: "unavailable",
    errno: "EAGAIN",
    title: "Guest does not read its console",
    retryable: true,
  },
  "engine-unavailable": { kind: "unavailable", errno: "ENODEV", title: "Engine is not available" },
  "snapshot-not-found": { kind: "missing", errno: "ENOENT", title: "Snapshot is unknown" },
  "snapshot-damaged": { kind: "conflict", errno: "EIO", title: "Snapshot is damaged" },
  "snapshot-version": {
    kind: "conflict",
    errno: "EINVAL",
    title: "Snapshot has an unknown version",
  },
  "snapshots-exhausted": { kind: "exhausted", errno: "ENOSPC", title: "Too many snapshots" },
} as const satisfies Record<string, FaultSpec>;

/** A stable kebab-case word that names a fault. */
export type FaultCode = keyof typeof FAULTS;

/** Further parts of a {@linkcode Fault}. */
interface FaultOptions extends ErrorOptions {
  /** Further members of the problem document, such as the names of outdated watchers. */
  readonly members?: Readonly<Record<string, unknown>>;
  /**
   * Set when the detail or a member names what belongs to somebody else: who may not read that is
   * told this detail instead, and no members.
   */
  readonly names?: { readonly of: Target; readonly otherwise: string };
  /** A more exact POSIX name than the code's own, where the host gave one. */
  readonly errno?: Errno;
  /** How long to wait before trying again, in seconds. */
  readonly retryAfterSeconds?: number;
}

/**
 * A refusal or failure with a stable code.
 *
 * @example
 * ```ts
 * import { Fault } from "./faults.ts";
 *
 * const fault = new Fault("scope-not-found", 'Cannot bump scope "vm-7": it does not exist');
 * if (fault.errno !== "ENOENT") throw fault;
 * ```
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly kind: FaultKind;
  readonly errno: Errno;
  readonly title: string;
  readonly retryable: boolean;
  readonly members: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;
  readonly names: FaultOptions["names"];

  /**
   * @param code Stable word of the fault
   * @param detail What failed, with the value, and what to do about it
   */
  constructor(code: FaultCode, detail: string, options: FaultOptions = {}) {
    super(detail, options);
    const spec: FaultSpec & { errno: Errno } = FAULTS[code];
    this.code = code;
    this.kind = spec.kind;
    this.errno = options.errno ?? spec.errno;
    this.title = spec.title;
    this.retryable = spec.retryable ?? false;
    this.members = options.members ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.names = options.names;
  }

  /** This fault as a caller may be told of it. */
  shownTo(caller: Caller | undefined): Fault {
    const { code, names, errno } = this;
    if (names === undefined || caller?.may("read", names.of) === true) return this;
    return new Fault(code, names.otherwise, { errno, cause: this });
  }
}

/** Any error as a fault. An error that is no fault is a mistake in Innkeeper. */
export function asFault(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault(
    "internal-error",
    "Cannot answer because of a mistake in Innkeeper: the log names it",
    { cause: error },
  );
}
