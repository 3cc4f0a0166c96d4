/**
 * The numbers and struct layouts of Linux that Innkeeper passes to the C library, each defined here
 * and nowhere else; the guests' 9P has type bits and errno numbers in common with them, so those
 * are in core. Above each group stands the kernel header that has it; all are user-space
 * headers (include/uapi), so a number never changes. Only those of {@linkcode numbersOf} differ
 * between the architectures. tests/native/constants_test.ts compares every one with the headers of
 * the machine that runs it, and those of arm64 with numbers copied from the kernel.
 *
 * @module
 */

// include/uapi/asm-generic/fcntl.h
export const O_RDONLY = 0o0;
export const O_RDWR = 0o2;
/** The bits of the open flags that say reading, writing or both. */
export const O_ACCMODE = 0o3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_NOATIME = 0o1000000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_SETSIG = 10;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
export const LOCK_EX = 2;
export const LOCK_NB = 4;

/**
 * The numbers that differ. arm64 has open flags of its own (arch/arm64/include/uapi/asm/fcntl.h),
 * x86-64 has those of include/uapi/asm-generic/fcntl.h: what is O_DIRECTORY on one is O_DIRECT on
 * the other. Of system calls older than Linux 5.1, x86-64 has numbers of its own
 * (arch/x86/entry/syscalls/syscall_64.tbl), arm64 those of include/uapi/asm-generic/unistd.h.
 */
const NUMBERS = {
  x86_64: { O_DIRECTORY: 0o200000, O_NOFOLLOW: 0o400000, SYS_membarrier: 324n },
  aarch64: { O_DIRECTORY: 0o40000, O_NOFOLLOW: 0o100000, SYS_membarrier: 283n },
} as const;

/** The numbers that differ by architecture. */
export function numbersOf(
  architecture: keyof typeof NUMBERS,
): Readonly<
  Record<"O_DIRECTORY" | "O_NOFOLLOW", number> & Record<"SYS_membarrier", bigint>
> {
  return NUMBERS[architecture];
}

export const SYS_membarrier = numbersOf(Deno.build.arch).SYS_membarrier;
export const O_DIRECTORY = numbersOf(Deno.build.arch).O_DIRECTORY;
export const O_NOFOLLOW = numbersOf(Deno.build.arch).O_NOFOLLOW;

// include/uapi/linux/fcntl.h
export const F_SETLEASE = 1024;
export const F_GETLEASE = 1025;
export const AT_FDCWD = -100;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;
export const AT_STATX_SYNC_AS_STAT = 0x0;
export const AT_STATX_FORCE_SYNC = 0x2000;
export const AT_STATX_DONT_SYNC = 0x4000;

// include/uapi/asm-generic/socket.h
export const SOL_SOCKET = 1;
export const SO_PEERCRED = 17;

// include/linux/socket.h: what SO_PEERCRED gives
export const UCRED_STRUCT = { pid: 0, uid: 4, gid: 8, size: 12 } as const;

// include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl: since Linux 5.1
// a new system call has one number on all architectures.
export const SYS_open_tree = 428n;
export const SYS_openat2 = 437n;
export const SYS_mount_setattr = 442n;

// include/uapi/linux/membarrier.h
export const MEMBARRIER_CMD_PRIVATE_EXPEDITED = 1 << 3;
export const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 1 << 4;

// include/uapi/asm-generic/signal.h and arch/x86/include/uapi/asm/signal.h have the same number.
export const SIGURG = 23;

// include/uapi/linux/time.h
export const CLOCK_MONOTONIC = 1;

// include/uapi/linux/openat2.h
export const RESOLVE_NO_MAGICLINKS = 0x02n;
export const RESOLVE_NO_SYMLINKS = 0x04n;
export const RESOLVE_BENEATH = 0x08n;
export const RESOLVE_IN_ROOT = 0x10n;

// include/uapi/linux/stat.h
export const STATX_BASIC_STATS = 0x7ff;

/** `struct statx` of include/uapi/linux/stat.h: its size and the offsets of fields, in bytes. */
export const STATX_STRUCT = {
  size: 256,
  stx_nlink: 16,
  stx_uid: 20,
  stx_gid: 24,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_blocks: 48,
  stx_atime: 64,
  stx_ctime: 96,
  stx_mtime: 112,
  stx_rdev_major: 128,
  stx_rdev_minor: 132,
  stx_dev_major: 136,
  stx_dev_minor: 140,
} as const;

/** `struct linux_dirent64` of include/linux/dirent.h; the C library has it as `dirent64`. */
export const DIRENT64_STRUCT = { d_ino: 0, d_reclen: 16, d_type: 18, d_name: 19 } as const;

/** `struct statvfs` of the C library's bits/statvfs.h, on 64-bit machines. */
export const STATVFS_STRUCT = { size: 112, f_frsize: 8, f_bavail: 32 } as const;

/** `struct pollfd` of include/uapi/asm-generic/poll.h. */
export const POLLFD_STRUCT = { size: 8, fd: 0, events: 4, revents: 6 } as const;

// include/uapi/asm-generic/poll.h
export const POLLIN = 0x1;
export const POLLERR = 0x8;
export const POLLRDNORM = 0x40;

// include/uapi/linux/falloc.h
export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;

// include/uapi/asm-generic/mman-common.h and include/uapi/linux/mman.h
export const PROT_READ = 0x1;
export const PROT_WRITE = 0x2;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;

// include/uapi/linux/fs.h
export const RWF_NOWAIT = 0x08;

// include/linux/stat.h
export const UTIME_OMIT = 0x3ffffffen;

// include/uapi/asm-generic/signal.h
export const SIGHUP = 1;
export const SIGKILL = 9;
export const SIGTERM = 15;

// include/uapi/linux/prctl.h
export const PR_SET_PDEATHSIG = 1;

// include/uapi/linux/mount.h, and MNT_FORCE and MNT_DETACH of include/linux/fs.h
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MNT_FORCE = 1;
export const MNT_DETACH = 2;
export const OPEN_TREE_CLONE = 1;
export const MOUNT_ATTR_RDONLY = 0x1;

// include/uapi/asm-generic/resource.h
export const RLIMIT_NOFILE = 7;

/** `struct rlimit` of include/uapi/linux/resource.h, on 64-bit machines. */
export const RLIMIT_STRUCT = { size: 16, rlim_cur: 0, rlim_max: 8 } as const;

// include/uapi/asm-generic/socket.h and include/linux/socket.h
export const SO_COOKIE = 57;
export const MSG_PEEK = 0x02;
export const MSG_DONTWAIT = 0x40;

// include/linux/net.h
export const SHUT_RDWR = 2;

// include/uapi/linux/in.h and include/uapi/linux/tcp.h
export const IPPROTO_TCP = 6;
export const TCP_INFO = 11;

/** `struct tcp_info` of include/uapi/linux/tcp.h, as far as it is read. */
export const TCP_INFO_STRUCT = { tcpi_bytes_received: 128 } as const;

// include/linux/socket.h
export const AF_UNIX = 1;

/** `struct sockaddr_un` of include/uapi/linux/un.h. */
export const SOCKADDR_UN_STRUCT = { size: 110, sun_family: 0, sun_path: 2 } as const;

// include/uapi/linux/fcntl.h
export const F_DUPFD_CLOEXEC = 1030;
