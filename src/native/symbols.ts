/**
 * The functions of the C library that Innkeeper calls, each as its prototype: the type it returns,
 * then its parameters under their names in C.
 *
 * Addresses are `usize`, never `pointer`: with `--allow-ffi=<path of libc>` Deno refuses pointer
 * views, while numbers and `memcpy` work.
 *
 * @module
 */

function returns<
  const Result extends Deno.NativeResultType,
  const Parameters extends readonly Deno.NativeType[],
>(result: Result, ...parameters: Parameters): { parameters: Parameters; result: Result } {
  return { parameters, result };
}

/** Calls that never wait for storage, or whose result must be known at once. */
const IMMEDIATE = {
  __errno_location: returns("usize"),
  memcpy_to_js: {
    name: "memcpy",
    ...returns("usize", /* dest */ "buffer", /* src */ "usize", /* n */ "usize"),
  },
  memcpy_from_js: {
    name: "memcpy",
    ...returns("usize", /* dest */ "usize", /* src */ "buffer", /* n */ "usize"),
  },
  geteuid: returns("u32"),
  open: returns("i32", /* path */ "buffer", /* flags */ "i32", /* mode */ "u32"),
  clock_gettime: returns("i32", /* clockid */ "i32", /* tp */ "buffer"),
  read: returns("isize", /* fd */ "i32", /* buf */ "buffer", /* count */ "usize"),
  write: returns("isize", /* fd */ "i32", /* buf */ "buffer", /* count */ "usize"),
  preadv2: returns(
    "isize",
    /* fd */ "i32",
    /* iov */ "buffer",
    /* iovcnt */ "i32",
    /* offset */ "i64",
    /* flags */ "i32",
  ),
  readlinkat: returns(
    "isize",
    /* dirfd */ "i32",
    /* pathname */ "buffer",
    /* buf */ "buffer",
    /* bufsiz */ "usize",
  ),
  getsockopt: returns(
    "i32",
    /* sockfd */ "i32",
    /* level */ "i32",
    /* optname */ "i32",
    /* optval */ "buffer",
    /* optlen */ "buffer",
  ),
  getdents64: returns("isize", /* fd */ "i32", /* dirp */ "buffer", /* count */ "usize"),
  mmap: returns(
    "isize",
    /* addr */ "usize",
    /* length */ "usize",
    /* prot */ "i32",
    /* flags */ "i32",
    /* fd */ "i32",
    /* offset */ "i64",
  ),
  munmap: returns("i32", /* addr */ "usize", /* length */ "usize"),
  flock: returns("i32", /* fd */ "i32", /* operation */ "i32"),
  /** The C library has no function for membarrier(2). */
  syscall_membarrier: {
    name: "syscall",
    ...returns(
      "isize",
      /* number */ "isize",
      /* cmd */ "i32",
      /* flags */ "u32",
      /* cpu_id */ "i32",
    ),
  },
  renameat: returns(
    "i32",
    /* olddirfd */ "i32",
    /* oldpath */ "buffer",
    /* newdirfd */ "i32",
    /* newpath */ "buffer",
  ),
  fcntl: returns("i32", /* fd */ "i32", /* cmd */ "i32", /* arg */ "i32"),
  ioctl: returns("i32", /* fd */ "i32", /* request */ "usize", /* argp */ "buffer"),
  eventfd: returns("i32", /* initval */ "u32", /* flags */ "i32"),
  mount: returns(
    "i32",
    /* source */ "buffer",
    /* target */ "buffer",
    /* filesystemtype */ "buffer",
    /* mountflags */ "usize",
    /* data */ "buffer",
  ),
  umount2: returns("i32", /* target */ "buffer", /* flags */ "i32"),
  pipe2: returns("i32", /* pipefd */ "buffer", /* flags */ "i32"),
  kill: returns("i32", /* pid */ "i32", /* sig */ "i32"),
  getpid: returns("i32"),
  getppid: returns("i32"),
  prctl: returns("i32", /* option */ "i32", /* arg2 */ "usize"),
  posix_spawn_file_actions_init: returns("i32", /* file_actions */ "buffer"),
  posix_spawn_file_actions_adddup2: returns(
    "i32",
    /* file_actions */ "buffer",
    /* fd */ "i32",
    /* newfd */ "i32",
  ),
  posix_spawn_file_actions_destroy: returns("i32", /* file_actions */ "buffer"),
  posix_spawn: returns(
    "i32",
    /* pid */ "buffer",
    /* path */ "buffer",
    /* file_actions */ "buffer",
    /* attrp */ "usize",
    /* argv */ "buffer",
    /* envp */ "buffer",
  ),
  /** The C library has no function for these two before glibc 2.36. */
  syscall_open_tree: {
    name: "syscall",
    ...returns(
      "isize",
      /* number */ "isize",
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* flags */ "u32",
    ),
  },
  syscall_mount_setattr: {
    name: "syscall",
    ...returns(
      "isize",
      /* number */ "isize",
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* flags */ "u32",
      /* attr */ "buffer",
      /* size */ "usize",
    ),
  },
  getpeername: returns("i32", /* sockfd */ "i32", /* addr */ "buffer", /* addrlen */ "buffer"),
  getsockname: returns("i32", /* sockfd */ "i32", /* addr */ "buffer", /* addrlen */ "buffer"),
  recv: returns(
    "isize",
    /* sockfd */ "i32",
    /* buf */ "buffer",
    /* len */ "usize",
    /* flags */ "i32",
  ),
  shutdown: returns("i32", /* sockfd */ "i32", /* how */ "i32"),
  getrlimit: returns("i32", /* resource */ "i32", /* rlim */ "buffer"),
  setrlimit: returns("i32", /* resource */ "i32", /* rlim */ "buffer"),
  execv: returns("i32", /* path */ "buffer", /* argv */ "buffer"),
};

/** Calls that may wait, for storage most of all: each is there a second time, on a thread. */
const WAITING = {
  close: returns("i32", /* fd */ "i32"),
  dup3: returns("i32", /* oldfd */ "i32", /* newfd */ "i32", /* flags */ "i32"),
  fallocate: returns("i32", /* fd */ "i32", /* mode */ "i32", /* offset */ "i64", /* len */ "i64"),
  fchmod: returns("i32", /* fd */ "i32", /* mode */ "u32"),
  fchown: returns("i32", /* fd */ "i32", /* owner */ "u32", /* group */ "u32"),
  fdatasync: returns("i32", /* fd */ "i32"),
  fstatvfs: returns("i32", /* fd */ "i32", /* buf */ "buffer"),
  ftruncate: returns("i32", /* fd */ "i32", /* length */ "i64"),
  futimens: returns("i32", /* fd */ "i32", /* times */ "buffer"),
  linkat: returns(
    "i32",
    /* olddirfd */ "i32",
    /* oldpath */ "buffer",
    /* newdirfd */ "i32",
    /* newpath */ "buffer",
    /* flags */ "i32",
  ),
  poll: returns("i32", /* fds */ "buffer", /* nfds */ "usize", /* timeout */ "i32"),
  pread: returns(
    "isize",
    /* fd */ "i32",
    /* buf */ "buffer",
    /* count */ "usize",
    /* offset */ "i64",
  ),
  pwrite: returns(
    "isize",
    /* fd */ "i32",
    /* buf */ "buffer",
    /* count */ "usize",
    /* offset */ "i64",
  ),
  statx: returns(
    "i32",
    /* dirfd */ "i32",
    /* path */ "buffer",
    /* flags */ "i32",
    /* mask */ "u32",
    /* statxbuf */ "buffer",
  ),
  /** The C library has no function for openat2(2). */
  syscall_openat2: {
    name: "syscall",
    ...returns(
      "isize",
      /* number */ "isize",
      /* dirfd */ "i32",
      /* path */ "buffer",
      /* how */ "buffer",
      /* size */ "usize",
    ),
  },
  waitpid: returns("i32", /* pid */ "i32", /* wstatus */ "buffer", /* options */ "i32"),
  unlinkat: returns("i32", /* dirfd */ "i32", /* pathname */ "buffer", /* flags */ "i32"),
};

type OnThreads<Calls> = {
  [Name in keyof Calls & string as `${Name}_thread`]: Calls[Name] & { nonblocking: true };
};

function onThreads<Calls extends Deno.ForeignLibraryInterface>(calls: Calls): OnThreads<Calls> {
  return Object.fromEntries(
    Object.entries(calls).map((
      [name, call],
    ) => [`${name}_thread`, { name, ...call, nonblocking: true }]),
  ) as OnThreads<Calls>;
}

/** Every symbol that is opened; `<name>_thread` makes the call on a thread of Deno's. */
export const SYMBOLS = { ...IMMEDIATE, ...WAITING, ...onThreads(WAITING) };

/** The C library's functions, ready to call. */
export type LibcSymbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * The calls on threads that do no harm when they are made again. fdatasync is none: Linux reports a
 * failed write-back once, so a second call would succeed although pages were lost. Neither is close,
 * whose descriptor may be another file's by then. waitpid tells once how a process has ended.
 */
export type RepeatableCall = Exclude<
  keyof typeof WAITING,
  "close" | "fdatasync" | "poll" | "waitpid"
>;
