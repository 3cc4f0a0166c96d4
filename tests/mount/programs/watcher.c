/* Programs of one kind each, for tests with many of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACK _IO(0xE4, 1)
#define TRIGGER _IO(0xE4, 3)

static int open_file(const char *path, int flags) {
  int fd = open(path, flags);
  if (fd < 0) { printf("open: %s\n", strerror(errno)); exit(1); }
  return fd;
}

/* Acks each generation, until it is killed. Each value is compared with the map: the map must
 * never be behind what was read. */
static int follow(const char *path, int stay) {
  int fd = open_file(path, O_RDWR), reader = open_file(path, O_RDONLY);
  volatile uint32_t *shown = mmap(NULL, 4, PROT_READ, MAP_SHARED, reader, 0);
  close(reader);
  if (ioctl(fd, TRACK, 1) != 0) return 1;
  puts("tracked");
  fflush(stdout);
  for (;;) {
    uint32_t value;
    if (read(fd, &value, 4) != 4) {
      printf("ended: %s\n", strerrorname_np(errno));
      fflush(stdout);
      if (stay) pause();
      return 0;
    }
    if (shown != MAP_FAILED && *shown < value) { printf("map is behind\n"); return 3; }
    if (write(fd, &value, 4) != 4 && errno != EINVAL) { printf("ack: %s\n", strerror(errno)); return 1; }
  }
}

/* Polls, prints each generation and acks it, until it is killed. */
static int poll_on(const char *path, int track) {
  int fd = open_file(path, O_RDWR | O_NONBLOCK);
  if (track && ioctl(fd, TRACK, 1) != 0) return 1;
  puts("polls");
  fflush(stdout);
  for (;;) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    if (poll(&p, 1, -1) < 0) { printf("poll: %s\n", strerrorname_np(errno)); return 1; }
    if (p.revents & (POLLERR | POLLHUP)) { printf("poll: %x\n", p.revents); return 1; }
    uint32_t value;
    if (read(fd, &value, 4) != 4) { if (errno == EAGAIN) continue; perror("read"); return 1; }
    if (write(fd, &value, 4) != 4) { if (errno == EINVAL) continue; perror("write"); return 1; }
    printf("%u\n", value);
    fflush(stdout);
  }
}

/* Many children that open, ack, exit and are killed at random; slow makes all of it last longer. */
static int crowd(const char *path, int count, unsigned seed, int slow) {
  srand(seed);
  pid_t *children = calloc(count, sizeof *children);
  for (int i = 0; i < count; i++) {
    unsigned mine = rand();
    children[i] = fork();
    if (children[i] != 0) continue;
    srand(mine);
    int fd = open(path, O_RDWR | O_NONBLOCK);
    if (fd < 0) _exit(9);
    if (rand() % 4 != 0) ioctl(fd, TRACK, 1);
    int steps = rand() % 12;
    for (int s = 0; s < steps; s++) {
      uint32_t value;
      if (read(fd, &value, 4) == 4 && rand() % 3 != 0) write(fd, &value, 4);
      if (rand() % 6 == 0) { close(fd); fd = open(path, O_RDWR | O_NONBLOCK); ioctl(fd, TRACK, 1); }
      usleep(rand() % 3000 * slow);
    }
    if (rand() % 3 == 0) pause();
    _exit(0);
  }
  int bad = 0;
  for (int i = 0; i < count; i++) {
    usleep(rand() % 500 * slow);
    if (rand() % 2 == 0) kill(children[i], SIGKILL);
  }
  usleep(100000);
  for (int i = 0; i < count; i++) kill(children[i], SIGKILL);
  for (int i = 0; i < count; i++) {
    int status;
    waitpid(children[i], &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9) bad++;
  }
  printf("could not open: %d\n", bad);
  return 0;
}

static volatile sig_atomic_t faults;
static void fault(int signal) { (void)signal; faults++; _exit(135); }

/* Prints what its map shows, a line each time it changes. */
static int map_only(const char *path, int flags) {
  signal(SIGBUS, fault);
  int fd = open_file(path, flags);
  int protection = flags == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
  volatile uint32_t *shown = mmap(NULL, 4, protection, MAP_SHARED, fd, 0);
  if (shown == MAP_FAILED) { printf("mmap: %s\n", strerrorname_np(errno)); return 1; }
  close(fd);
  uint32_t last = *shown;
  printf("%u\n", last);
  fflush(stdout);
  for (;;) {
    if (*shown != last) { last = *shown; printf("%u\n", last); fflush(stdout); }
    usleep(200);
  }
}

/* Changes the generation. */
static int bump(const char *path) {
  int fd = open_file(path, O_RDWR);
  if (ioctl(fd, TRIGGER, 0) != 0) { printf("trigger: %s\n", strerrorname_np(errno)); return 1; }
  return 0;
}

/* Blocks in read, prints each generation and acks it. */
static int read_on(const char *path) {
  int fd = open_file(path, O_RDWR);
  puts("reads");
  fflush(stdout);
  for (;;) {
    uint32_t value;
    if (read(fd, &value, 4) != 4) { printf("read: %s\n", strerrorname_np(errno)); return 1; }
    printf("%u\n", value);
    fflush(stdout);
    if (write(fd, &value, 4) != 4) { printf("write: %s\n", strerrorname_np(errno)); return 1; }
  }
}

/* Stores a forged number by every way that there is; prints which ways it had. */
static int forge(const char *path, const char *go_on) {
  int fd = open(path, O_RDWR);
  printf("open: %s\n", fd < 0 ? strerrorname_np(errno) : "yes");
  if (fd >= 0) {
    uint32_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("map: %s\n", page == MAP_FAILED ? strerrorname_np(errno) : "yes");
    if (page != MAP_FAILED) for (int i = 0; i < 1024; i++) page[i] = 0xdead;
    uint32_t forged = 0xdead;
    printf("write: %s\n", pwrite(fd, &forged, 4, 0) < 0 ? strerrorname_np(errno) : "yes");
  }
  int reader = open_file(path, O_RDONLY);
  uint32_t *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
  printf("read map: %s\n", page == MAP_FAILED ? strerrorname_np(errno) : "yes");
  if (page != MAP_FAILED) {
    printf("mprotect: %s\n",
           mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0 ? strerrorname_np(errno) : "yes");
  }
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", reader);
  int reopened = open(again, O_RDWR);
  printf("reopen: %s\n", reopened < 0 ? strerrorname_np(errno) : "yes");
  if (reopened >= 0) {
    uint32_t *more = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reopened, 0);
    printf("reopened map: %s\n", more == MAP_FAILED ? strerrorname_np(errno) : "yes");
    if (more != MAP_FAILED) *more = 0xdead;
  }
  puts("done");
  fflush(stdout);
  if (go_on != NULL) pause();
  return 0;
}

int main(int count, char **args) {
  if (count < 3) return 2;
  if (strcmp(args[1], "follow") == 0) return follow(args[2], count > 3);
  if (strcmp(args[1], "bump") == 0) return bump(args[2]);
  if (strcmp(args[1], "read") == 0) return read_on(args[2]);
  if (strcmp(args[1], "poll") == 0) return poll_on(args[2], 1);
  if (strcmp(args[1], "poll-untracked") == 0) return poll_on(args[2], 0);
  if (strcmp(args[1], "crowd") == 0) {
    return crowd(args[2], atoi(args[3]), atoi(args[4]), count > 5 ? atoi(args[5]) : 1);
  }
  if (strcmp(args[1], "map") == 0) return map_only(args[2], O_RDONLY);
  if (strcmp(args[1], "own") == 0) return map_only(args[2], O_RDWR);
  if (strcmp(args[1], "forge") == 0) return forge(args[2], count > 3 ? args[3] : NULL);
  return 2;
}
