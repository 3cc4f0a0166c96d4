/**
 * Structures of the FUSE protocol (Linux' include/uapi/linux/fuse.h), in wire order.
 *
 * @module
 */
import { Struct } from "./struct.ts";

export const IN_HEADER = new Struct("fuse_in_header", {
  len: "u32",
  opcode: "u32",
  unique: "u64",
  nodeid: "u64",
  uid: "u32",
  gid: "u32",
  pid: "u32",
  /** Extensions after the body, in units of 8 bytes. */
  totalExtlen: "u16",
  padding: "u16",
});
export const OUT_HEADER = new Struct("fuse_out_header", {
  len: "u32",
  error: "i32",
  unique: "u64",
});
export const ATTR = new Struct("fuse_attr", {
  ino: "u64",
  size: "u64",
  blocks: "u64",
  atime: "u64",
  mtime: "u64",
  ctime: "u64",
  atimensec: "u32",
  mtimensec: "u32",
  ctimensec: "u32",
  mode: "u32",
  nlink: "u32",
  uid: "u32",
  gid: "u32",
  rdev: "u32",
  blksize: "u32",
  flags: "u32",
});
/** fuse_entry_out without the attributes that follow it. */
export const ENTRY_OUT = new Struct("fuse_entry_out", {
  nodeid: "u64",
  generation: "u64",
  entryValid: "u64",
  attrValid: "u64",
  entryValidNsec: "u32",
  attrValidNsec: "u32",
});
/** fuse_attr_out without the attributes that follow it. */
export const ATTR_OUT = new Struct("fuse_attr_out", {
  attrValid: "u64",
  attrValidNsec: "u32",
  dummy: "u32",
});
export const INIT_IN = new Struct("fuse_init_in", {
  major: "u32",
  minor: "u32",
  maxReadahead: "u32",
  flags: "u32",
});
/** What INIT_EXT adds to an INIT, of which more may follow. */
export const INIT_IN_EXT = new Struct("fuse_init_in.flags2", { flags2: "u32" });
/** fuse_init_out without the unused words that follow it. */
export const INIT_OUT = new Struct("fuse_init_out", {
  major: "u32",
  minor: "u32",
  maxReadahead: "u32",
  flags: "u32",
  maxBackground: "u16",
  congestionThreshold: "u16",
  maxWrite: "u32",
  timeGran: "u32",
  maxPages: "u16",
  mapAlignment: "u16",
  flags2: "u32",
  maxStackDepth: "u32",
});
/** Length of a whole fuse_init_out. */
export const INIT_OUT_BYTES = 64;
export const FORGET_IN = new Struct("fuse_forget_in", { nlookup: "u64" });
export const BATCH_FORGET_IN = new Struct("fuse_batch_forget_in", { count: "u32", dummy: "u32" });
export const FORGET_ONE = new Struct("fuse_forget_one", { nodeid: "u64", nlookup: "u64" });
export const OPEN_IN = new Struct("fuse_open_in", { flags: "u32", openFlags: "u32" });
export const OPEN_OUT = new Struct("fuse_open_out", {
  fh: "u64",
  openFlags: "u32",
  backingId: "i32",
});
export const RELEASE_IN = new Struct("fuse_release_in", {
  fh: "u64",
  flags: "u32",
  releaseFlags: "u32",
  lockOwner: "u64",
});
export const READ_IN = new Struct("fuse_read_in", {
  fh: "u64",
  offset: "u64",
  size: "u32",
  readFlags: "u32",
  lockOwner: "u64",
  flags: "u32",
  padding: "u32",
});
export const WRITE_IN = new Struct("fuse_write_in", {
  fh: "u64",
  offset: "u64",
  size: "u32",
  writeFlags: "u32",
  lockOwner: "u64",
  flags: "u32",
  padding: "u32",
});
export const WRITE_OUT = new Struct("fuse_write_out", { size: "u32", padding: "u32" });
export const STATFS_OUT = new Struct("fuse_kstatfs", {
  blocks: "u64",
  bfree: "u64",
  bavail: "u64",
  files: "u64",
  ffree: "u64",
  bsize: "u32",
  namelen: "u32",
  frsize: "u32",
  padding: "u32",
});
/** Length of a whole fuse_statfs_out. */
export const STATFS_OUT_BYTES = 80;
export const INTERRUPT_IN = new Struct("fuse_interrupt_in", { unique: "u64" });
export const IOCTL_IN = new Struct("fuse_ioctl_in", {
  fh: "u64",
  flags: "u32",
  cmd: "u32",
  arg: "u64",
  inSize: "u32",
  outSize: "u32",
});
export const IOCTL_OUT = new Struct("fuse_ioctl_out", {
  result: "i32",
  flags: "u32",
  inIovs: "u32",
  outIovs: "u32",
});
export const POLL_IN = new Struct("fuse_poll_in", {
  fh: "u64",
  kh: "u64",
  flags: "u32",
  events: "u32",
});
export const POLL_OUT = new Struct("fuse_poll_out", { revents: "u32", padding: "u32" });
export const DIRENT = new Struct("fuse_dirent", {
  ino: "u64",
  off: "u64",
  namelen: "u32",
  type: "u32",
});
export const NOTIFY_POLL_OUT = new Struct("fuse_notify_poll_wakeup_out", { kh: "u64" });
