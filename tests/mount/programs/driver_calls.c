/* Every call of the sysgenid driver's table, on a file that is given: one line a call, which the
 * test compares with its written expectation. Needs the right to trigger. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>

#define TRACK _IO(0xE4, 1)
#define WAIT _IO(0xE4, 2)
#define TRIGGER _IO(0xE4, 3)

static const char *path;

static void say(const char *name, long result) {
  if (result < 0) printf("%s = %s\n", name, strerrorname_np(errno));
  else printf("%s = %ld\n", name, result);
  fflush(stdout);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int open_file(int flags) {
  int fd = open(path, flags);
  if (fd < 0) { perror("open"); exit(1); }
  return fd;
}

/* The value that is to be confirmed, as a non-blocking read gives it; -1 with errno. */
static long value(int fd) {
  uint32_t found;
  ssize_t n = read(fd, &found, sizeof found);
  if (n == 4) return found;
  if (n >= 0) { errno = EPROTO; return -1; }
  return -1;
}

static long confirm(int fd, uint32_t generation) { return write(fd, &generation, 4); }

static void confirm_current(int fd) { confirm(fd, (uint32_t)value(fd)); }

static int polled(int fd) {
  struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDNORM | POLLOUT };
  return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

/* close() does not wait for the daemon, so what it changes is looked for. */
static void wait_until_late(int count) {
  char late[256];
  snprintf(late, sizeof late, "%.*s/late", (int)(strrchr(path, '/') - path), path);
  for (int tries = 0; tries < 2000; tries++) {
    char text[8192];
    int fd = open(late, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    int lines = 0;
    for (ssize_t i = 0; i < n; i++) lines += text[i] == '\n';
    if (lines == count) return;
    usleep(1000);
  }
  printf("late never became %d\n", count);
}

static void reads_and_writes(void) {
  int fd = open_file(O_RDWR | O_NONBLOCK);
  char bytes[64] = { 0 };
  say("read: 0 bytes", read(fd, bytes, 0));
  say("read: 3 bytes, not blocking", read(fd, bytes, 3));
  say("read: new watcher is up to date", value(fd));
  say("write: 0 bytes", write(fd, bytes, 0));
  say("write: 3 bytes", write(fd, bytes, 3));
  say("write: 5 bytes", write(fd, bytes, 5));
  say("write: 8 bytes", write(fd, bytes, 8));
  say("write: the current value again", confirm(fd, 0));
  say("write: a future value", confirm(fd, 1));
  say("poll: up to date", polled(fd));
  say("trigger", ioctl(fd, TRIGGER, 0));
  say("poll: outdated", polled(fd));
  say("read: 0 bytes while outdated", read(fd, bytes, 0));
  say("read: 3 bytes while outdated", read(fd, bytes, 3));
  say("read: 64 bytes give 4", read(fd, bytes, 64));
  say("read: bad buffer", syscall(SYS_read, fd, 8L, 4L));
  say("read: the value", value(fd));
  say("read: does not consume", value(fd));
  uint32_t somewhere = 0;
  say("pread: the offset does not matter", pread(fd, &somewhere, 4, 1000));
  say("pread: the value", somewhere);
  say("write: an old value", confirm(fd, 0));
  say("write: a future value while outdated", confirm(fd, 2));
  say("poll: still outdated", polled(fd));
  say("write: the value", confirm(fd, 1));
  say("write: the value once more", confirm(fd, 1));
  say("poll: confirmed", polled(fd));
  say("read: confirmed", value(fd));
  say("trigger: minimum 8", ioctl(fd, TRIGGER, 8));
  say("read: 8", value(fd));
  say("trigger: minimum 8 again", ioctl(fd, TRIGGER, 8));
  say("read: 9", value(fd));
  say("trigger: minimum 3", ioctl(fd, TRIGGER, 3));
  say("read: 10", value(fd));
  /* A 32-bit program cannot say it. */
  errno = EINVAL;
  say("trigger: more than 32 bits",
      sizeof(long) > 4 ? ioctl(fd, TRIGGER, (unsigned long)(1ull << 40)) : -1);
  say("write: confirms the last of several", confirm(fd, 10));
  say("ioctl: unknown number", ioctl(fd, _IO(0xE4, 4), 0));
  say("ioctl: number 0", ioctl(fd, _IO(0xE4, 0), 0));
  say("ioctl: other magic", ioctl(fd, _IO(0x2d, 3), 0));
  say("ioctl: with a size", ioctl(fd, _IOR(0xE4, 3, int), 0));
  int other = open_file(O_RDWR | O_TRUNC | O_NONBLOCK);
  say("open: truncating changes nothing", value(fd));
  say("ftruncate", ftruncate(other, 0));
  say("ftruncate: changes nothing", value(fd));
  close(other);
  other = open_file(O_RDONLY | O_NONBLOCK);
  say("write: opened for reading", confirm(other, 10));
  close(other);
  other = open_file(O_WRONLY);
  say("read: opened for writing", value(other));
  say("write: opened for writing", confirm(other, 10));
  close(other);
  close(fd);
}

static void tracking_and_waiting(void) {
  int fd = open_file(O_RDWR | O_NONBLOCK), other = open_file(O_RDWR | O_NONBLOCK);
  say("wait: nobody is tracked", ioctl(fd, WAIT, 0));
  say("track", ioctl(fd, TRACK, 1));
  say("track: again", ioctl(fd, TRACK, 1));
  say("wait: nobody is outdated", ioctl(other, WAIT, 0));
  ioctl(fd, TRIGGER, 0);
  say("wait: the caller is outdated", ioctl(other, WAIT, 0));
  confirm_current(other);
  double start = now_ms();
  say("wait: 60 ms", ioctl(other, WAIT, 60));
  double took = now_ms() - start;
  say("wait: not before its time", took >= 60 && took < 1000);
  confirm_current(fd);
  say("wait: confirmed", ioctl(other, WAIT, 0));
  say("wait: a huge time", ioctl(other, WAIT, 0xffffffffu));
  /* Others confirm, stop tracking or close while somebody waits. */
  for (int way = 0; way < 4; way++) {
    int late = open_file(O_RDWR | O_NONBLOCK);
    ioctl(late, TRACK, 1);
    ioctl(other, TRIGGER, 0);
    confirm_current(fd);
    confirm_current(other);
    pid_t child = fork();
    if (child == 0) {
      usleep(30000);
      if (way == 0) confirm_current(late);
      if (way == 1) ioctl(late, TRACK, 0);
      if (way == 3) ioctl(late, TRIGGER, 0);
      _exit(0);
    }
    /* The child has it too: with the last of both it is closed. */
    if (way != 3) close(late);
    start = now_ms();
    long result = ioctl(other, WAIT, way == 3 ? 0 : 5000);
    took = now_ms() - start;
    const char *names[] = { "wait: until an ack", "wait: until tracking ends", "wait: until a close",
                            "wait: a bump ends it" };
    say(names[way], result);
    say("  after it was waited for", took >= 20 && took < 2000);
    waitpid(child, NULL, 0);
    if (way == 3) close(late);
    confirm_current(fd);
    confirm_current(other);
    wait_until_late(0);
  }
  close(fd);
  close(other);
}

static void *bump_soon(void *unused) {
  (void)unused;
  int fd = open_file(O_RDWR);
  usleep(40000);
  ioctl(fd, TRIGGER, 0);
  close(fd);
  return NULL;
}

static void nothing(int signal) { (void)signal; }

static void blocking_and_signals(void) {
  int fd = open_file(O_RDWR);
  uint32_t before, found;
  ioctl(fd, TRIGGER, 0);
  if (read(fd, &before, 4) != 4) before = 0;
  confirm(fd, before);
  pthread_t thread;
  pthread_create(&thread, NULL, bump_soon, NULL);
  double start = now_ms();
  say("read: blocks until a bump", read(fd, &found, 4));
  say("read: at once then", now_ms() - start >= 30 && now_ms() - start < 2000);
  say("read: gives the new value", found - before);
  pthread_join(thread, NULL);
  confirm(fd, found);
  struct sigaction action = { .sa_handler = nothing };
  sigaction(SIGALRM, &action, NULL);
  ualarm(40000, 0);
  say("read: a signal", read(fd, &found, 4));
  int late = open_file(O_RDWR);
  ioctl(late, TRACK, 1);
  ioctl(fd, TRIGGER, 0);
  confirm_current(fd);
  ualarm(40000, 0);
  say("wait: a signal", ioctl(fd, WAIT, 0));
  struct pollfd p = { .fd = fd, .events = POLLIN };
  ualarm(40000, 0);
  say("poll: a signal", poll(&p, 1, -1));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  say("read: O_NONBLOCK set later", read(fd, &found, 4));
  close(late);
  close(fd);
  wait_until_late(0);
}

static void epolls(void) {
  int fd = open_file(O_RDWR | O_NONBLOCK), bumper = open_file(O_RDWR);
  struct epoll_event level = { .events = EPOLLIN }, edge = { .events = EPOLLIN | EPOLLET }, got;
  int levels = epoll_create1(0), edges = epoll_create1(0);
  epoll_ctl(levels, EPOLL_CTL_ADD, fd, &level);
  epoll_ctl(edges, EPOLL_CTL_ADD, fd, &edge);
  say("epoll level: up to date", epoll_wait(levels, &got, 1, 20));
  say("epoll edge: up to date", epoll_wait(edges, &got, 1, 20));
  for (int round = 0; round < 2; round++) {
    ioctl(bumper, TRIGGER, 0);
    say("epoll level: outdated", epoll_wait(levels, &got, 1, 1000));
    say("epoll level: until it is confirmed", epoll_wait(levels, &got, 1, 0));
    say("epoll edge: a bump", epoll_wait(edges, &got, 1, 1000));
    say("epoll edge: told once", epoll_wait(edges, &got, 1, 20));
  }
  confirm_current(fd);
  say("epoll level: confirmed", epoll_wait(levels, &got, 1, 20));
  say("epoll edge: confirmed", epoll_wait(edges, &got, 1, 20));
  pthread_t thread;
  pthread_create(&thread, NULL, bump_soon, NULL);
  say("epoll level: sleeps until a bump", epoll_wait(levels, &got, 1, 2000));
  say("epoll edge: sleeps until a bump", epoll_wait(edges, &got, 1, 2000));
  pthread_join(thread, NULL);
  close(levels);
  close(edges);
  close(fd);
  close(bumper);
}

static void copies(void) {
  int fd = open_file(O_RDWR | O_NONBLOCK), twin = dup(fd), bumper = open_file(O_RDWR);
  ioctl(fd, TRACK, 1);
  ioctl(bumper, TRIGGER, 0);
  confirm_current(bumper);
  say("dup: is outdated as well", polled(twin));
  confirm_current(twin);
  say("dup: one ack for both", polled(fd));
  close(fd);
  ioctl(bumper, TRIGGER, 0);
  confirm_current(bumper);
  say("dup: a close of one is none", ioctl(bumper, WAIT, 50));
  pid_t child = fork();
  if (child == 0) {
    confirm_current(twin);
    _exit(0);
  }
  say("fork: the child acks for both", ioctl(bumper, WAIT, 2000));
  waitpid(child, NULL, 0);
  say("fork: the parent is up to date", polled(twin));
  ioctl(bumper, TRIGGER, 0);
  confirm_current(bumper);
  child = fork();
  if (child == 0) {
    usleep(50000);
    _exit(0);
  }
  close(twin);
  say("fork: the opener is gone, the child lives", ioctl(bumper, WAIT, 10));
  waitpid(child, NULL, 0);
  say("fork: exit while outdated releases", ioctl(bumper, WAIT, 2000));
  child = fork();
  if (child == 0) {
    int own = open_file(O_RDWR);
    ioctl(own, TRACK, 1);
    ioctl(own, TRIGGER, 0);
    pause();
  }
  wait_until_late(1);
  confirm_current(bumper);
  kill(child, SIGKILL);
  say("kill: killed while outdated releases", ioctl(bumper, WAIT, 2000));
  waitpid(child, NULL, 0);
  close(bumper);
}

static void maps(void) {
  int fd = open_file(O_RDWR | O_NONBLOCK), reader = open_file(O_RDONLY);
  ioctl(fd, TRIGGER, 0);
  uint32_t current = (uint32_t)value(fd);
  volatile uint32_t *shown = mmap(NULL, 4, PROT_READ, MAP_SHARED, reader, 0);
  say("mmap: 4 bytes for reading", shown == MAP_FAILED ? -1 : 0);
  close(reader);
  say("mmap: shows the value", *shown == current);
  volatile uint32_t *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("mmap: a page for writing", own == MAP_FAILED ? -1 : 0);
  say("mmap: shows the value too", *own == current);
  *own = 77;
  say("mmap: a store is seen by nobody else", *shown == current && value(fd) == current);
  ioctl(fd, TRIGGER, 0);
  say("mmap: a bump is shown when the call returns", *shown == current + 1);
  say("mmap: on the own page too", *own == current + 1);
  reader = open_file(O_RDONLY);
  say("mmap: for writing of one opened for reading",
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED ? -1 : 0);
  say("mprotect: for writing", mprotect((void *)shown, 4096, PROT_READ | PROT_WRITE));
  close(reader);
  close(fd);
  int bumper = open_file(O_RDWR);
  ioctl(bumper, TRIGGER, 0);
  say("mmap: outlives the close", *shown == current + 2 && *own == current + 2);
  close(bumper);
}

static void drop_capabilities(void) {
  struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2] = { { 0 } };
  syscall(SYS_capset, &head, data);
}

static void rights(void) {
  fflush(stdout);
  for (int who = 0; who < 4; who++) {
    pid_t child = fork();
    if (child != 0) {
      waitpid(child, NULL, 0);
      continue;
    }
    if (who == 0) drop_capabilities();
    /* 1: a user with the permission to watch, 2: one that may bump, 3: one with none. */
    if (who > 0 && (setgid(1000 + who) != 0 || setuid(1000 + who) != 0)) perror("setuid");
    const char *names[] = { "root without capabilities", "a user who may watch",
                            "a user who may bump", "a user without permissions" };
    char name[100];
    int fd = open(path, O_RDWR | O_NONBLOCK);
    snprintf(name, sizeof name, "rights: open by %s", names[who]);
    say(name, fd < 0 ? -1 : 0);
    snprintf(name, sizeof name, "rights: trigger by %s", names[who]);
    if (fd >= 0) say(name, ioctl(fd, TRIGGER, 0));
    _exit(0);
  }
}

int main(int count, char **args) {
  path = args[1];
  alarm(60);
  if (count != 2) return 2;
  reads_and_writes();
  tracking_and_waiting();
  alarm(0);
  blocking_and_signals();
  epolls();
  copies();
  maps();
  rights();
  return 0;
}
