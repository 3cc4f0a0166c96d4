/**
 * Numbers of the FUSE protocol (Linux' include/uapi/linux/fuse.h, version 7.45); the same on every
 * architecture.
 *
 * @module
 */

/** Version that is spoken. What newer kernels add is not asked for. */
export const MAJOR = 7;
export const MINOR = 45;

export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  poll: 40,
  batchForget: 42,
} as const;

/** Operations that change a folder. Those of the mount are made by Innkeeper alone. */
export const FOLDER_CHANGES: ReadonlySet<number> = new Set([
  /* SYMLINK */ 6,
  /* MKNOD */ 8,
  /* MKDIR */ 9,
  /* UNLINK */ 10,
  /* RMDIR */ 11,
  /* RENAME */ 12,
  /* LINK */ 13,
  /* CREATE */ 35,
  /* RENAME2 */ 45,
  /* TMPFILE */ 51,
]);

/** Flags of an INIT; those from bit 32 on lie in its second word. */
export const INIT = {
  asyncRead: 1n << 0n,
  bigWrites: 1n << 5n,
  parallelDirops: 1n << 18n,
  maxPages: 1n << 22n,
  initExt: 1n << 30n,
  passthrough: 1n << 37n,
} as const;

/** Flags of the answer to an OPEN. */
export const FOPEN = {
  /** Reads and writes come to the daemon one by one, and nothing of them is cached. */
  directIo: 1 << 0,
  /** A close does not wait for the daemon: a program can end while no daemon serves. */
  noFlush: 1 << 5,
  /** Maps show the backing file. */
  passthrough: 1 << 7,
} as const;

/** What an unasked message says, in the place of its error. */
export const NOTIFY = { poll: 1 } as const;

/** Flag of a POLL: send a notification when the file becomes ready. */
export const POLL_SCHEDULE_NOTIFY = 1;
/** Flag of an IOCTL: the caller is a 32-bit program. */
export const IOCTL_COMPAT = 1;

/** Kinds of entries in a folder (DT_DIR and DT_REG). */
export const ENTRY_FOLDER = 4;
export const ENTRY_FILE = 8;
