/* Times the driver's calls on a file, and what an eventfd between two processes costs: a line of
 * "name microseconds" each, the median of many. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIGGER _IO(0xE4, 3)
#define ROUNDS 2000

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void say(const char *name, double *times) {
  qsort(times, ROUNDS, sizeof *times, by_value);
  printf("%s %.1f %.1f\n", name, times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
  fflush(stdout);
}

int main(int count, char **args) {
  static double times[ROUNDS];
  if (count != 2) return 2;
  int fd = open(args[1], O_RDWR | O_NONBLOCK);
  if (fd < 0) { perror("open"); return 1; }
  uint32_t value;
  for (int i = 0; i < ROUNDS; i++) {
    double start = now_us();
    if (ioctl(fd, TRIGGER, 0) != 0) { perror("ioctl"); return 1; }
    times[i] = now_us() - start;
  }
  say("ioctl with a bump", times);
  for (int i = 0; i < ROUNDS; i++) {
    ioctl(fd, TRIGGER, 0);
    double start = now_us();
    if (read(fd, &value, 4) != 4 || write(fd, &value, 4) != 4) { perror("ack"); return 1; }
    times[i] = now_us() - start;
  }
  say("read and ack", times);
  for (int i = 0; i < ROUNDS; i++) {
    double start = now_us();
    if (read(fd, &value, 4) != -1) return 1;
    times[i] = now_us() - start;
  }
  say("read of nothing", times);

  /* A waker and a sleeper: from the call of the one to the return of poll in the other. */
  double *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int event = eventfd(0, EFD_NONBLOCK);
  for (int kind = 0; kind < 2; kind++) {
    pid_t waker = fork();
    if (waker == 0) {
      int own = open(args[1], O_RDWR);
      uint64_t one = 1;
      for (;;) {
        usleep(1000);
        shared[0] = now_us();
        if (kind == 0) ioctl(own, TRIGGER, 0);
        else if (write(event, &one, 8) != 8) _exit(1);
      }
    }
    for (int i = 0; i < ROUNDS; i++) {
      struct pollfd p = { .fd = kind == 0 ? fd : event, .events = POLLIN };
      if (poll(&p, 1, 5000) != 1) { puts("nothing came"); return 1; }
      times[i] = now_us() - shared[0];
      uint64_t counted;
      if (kind == 1) { if (read(event, &counted, 8) != 8) return 1; }
      else if (read(fd, &value, 4) != 4 || write(fd, &value, 4) != 4) i--;
    }
    kill(waker, SIGKILL);
    waitpid(waker, NULL, 0);
    say(kind == 0 ? "poll wake by a bump" : "poll wake by an eventfd", times);
  }
  return 0;
}
