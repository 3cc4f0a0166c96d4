import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import { compile, missing32Bit, missingMount, MountBench, run } from "../support/mount.ts";
import { testWhere } from "../support/skip.ts";

/** POLLIN | POLLRDNORM. */
const READABLE = 0x41;

/** What the driver's table has (docs/mount.md#2), line by line. */
const EXPECTED = [
  "read: 0 bytes = 0",
  "read: 3 bytes, not blocking = EINVAL",
  "read: new watcher is up to date = EAGAIN",
  // A departure: the driver refuses it, but the kernel never asks the daemon.
  "write: 0 bytes = 0",
  "write: 3 bytes = ENOBUFS",
  "write: 5 bytes = ENOBUFS",
  "write: 8 bytes = ENOBUFS",
  "write: the current value again = 4",
  "write: a future value = EINVAL",
  "poll: up to date = 0",
  "trigger = 0",
  `poll: outdated = ${READABLE}`,
  "read: 0 bytes while outdated = 0",
  "read: 3 bytes while outdated = EINVAL",
  "read: 64 bytes give 4 = 4",
  "read: bad buffer = EFAULT",
  "read: the value = 1",
  "read: does not consume = 1",
  "pread: the offset does not matter = 4",
  "pread: the value = 1",
  "write: an old value = EINVAL",
  "write: a future value while outdated = EINVAL",
  `poll: still outdated = ${READABLE}`,
  "write: the value = 4",
  "write: the value once more = 4",
  "poll: confirmed = 0",
  "read: confirmed = EAGAIN",
  "trigger: minimum 8 = 0",
  "read: 8 = 8",
  "trigger: minimum 8 again = 0",
  "read: 9 = 9",
  "trigger: minimum 3 = 0",
  "read: 10 = 10",
  "trigger: more than 32 bits = EINVAL",
  "write: confirms the last of several = 4",
  "ioctl: unknown number = EINVAL",
  "ioctl: number 0 = EINVAL",
  "ioctl: other magic = EINVAL",
  "ioctl: with a size = EINVAL",
  "open: truncating changes nothing = EAGAIN",
  "ftruncate = 0",
  "ftruncate: changes nothing = EAGAIN",
  "write: opened for reading = EBADF",
  "read: opened for writing = EBADF",
  "write: opened for writing = 4",

  "wait: nobody is tracked = 0",
  "track = 0",
  "track: again = 0",
  "wait: nobody is outdated = 0",
  "wait: the caller is outdated = EINTR",
  "wait: 60 ms = ETIME",
  "wait: not before its time = 1",
  "wait: confirmed = 0",
  "wait: a huge time = 0",
  "wait: until an ack = 0",
  "  after it was waited for = 1",
  "wait: until tracking ends = 0",
  "  after it was waited for = 1",
  "wait: until a close = 0",
  "  after it was waited for = 1",
  "wait: a bump ends it = EINTR",
  "  after it was waited for = 1",

  "read: blocks until a bump = 4",
  "read: at once then = 1",
  "read: gives the new value = 1",
  "read: a signal = EINTR",
  "wait: a signal = EINTR",
  "poll: a signal = EINTR",
  "read: O_NONBLOCK set later = EAGAIN",

  "epoll level: up to date = 0",
  "epoll edge: up to date = 0",
  ...Array.from({ length: 2 }, () => [
    "epoll level: outdated = 1",
    "epoll level: until it is confirmed = 1",
    "epoll edge: a bump = 1",
    "epoll edge: told once = 0",
  ]).flat(),
  "epoll level: confirmed = 0",
  "epoll edge: confirmed = 0",
  "epoll level: sleeps until a bump = 1",
  "epoll edge: sleeps until a bump = 1",

  `dup: is outdated as well = ${READABLE}`,
  "dup: one ack for both = 0",
  "dup: a close of one is none = ETIME",
  "fork: the child acks for both = 0",
  "fork: the parent is up to date = 0",
  "fork: the opener is gone, the child lives = ETIME",
  "fork: exit while outdated releases = 0",
  "kill: killed while outdated releases = 0",

  "mmap: 4 bytes for reading = 0",
  "mmap: shows the value = 1",
  "mmap: a page for writing = 0",
  "mmap: shows the value too = 1",
  "mmap: a store is seen by nobody else = 1",
  "mmap: a bump is shown when the call returns = 1",
  "mmap: on the own page too = 1",
  "mmap: for writing of one opened for reading = EACCES",
  "mprotect: for writing = EACCES",
  "mmap: outlives the close = 1",

  "rights: open by root without capabilities = 0",
  "rights: trigger by root without capabilities = EACCES",
  "rights: open by a user who may watch = 0",
  "rights: trigger by a user who may watch = EACCES",
  "rights: open by a user who may bump = 0",
  "rights: trigger by a user who may bump = 0",
  "rights: open by a user without permissions = EACCES",
];

async function callAll(program: string): Promise<readonly string[]> {
  await using bench = await MountBench.open({
    grants: [
      { uid: 1001, grants: ["watch"] },
      { uid: 1002, grants: ["watch:table", "bump:tab*"] },
    ],
  });
  await bench.scopes.put("table", DEFAULT_OPTIONS);
  const { lines } = await run(program, [bench.path("table", "sysgenid")]);
  const { state } = bench.scopes.get("table");
  // A close does not wait for the daemon.
  for (let tries = 0; tries < 200 && state.counts.watchers > 0; tries++) await delay(5);
  assertEquals(state.counts, { watchers: 0, tracked: 0, outdated: 0 });
  return lines;
}

testWhere("sysgenid file: every call of the driver's table, from C", missingMount(), async () => {
  assertEquals(await callAll(compile("driver_calls")), EXPECTED);
});

testWhere("sysgenid file: the same from a 32-bit program", missing32Bit(), async () => {
  assertEquals(await callAll(compile("driver_calls", "-m32")), EXPECTED);
});
