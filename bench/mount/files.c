/* Holds many open files of the driver, tracked, and confirms each generation on each of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TRACK _IO(0xE4, 1)

int main(int count, char **args) {
  if (count != 3) return 2;
  int files = atoi(args[2]), events = epoll_create1(0);
  for (int i = 0; i < files; i++) {
    int fd = open(args[1], O_RDWR | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, TRACK, 1) != 0) { perror("open"); return 1; }
    struct epoll_event wanted = { .events = EPOLLIN, .data.fd = fd };
    epoll_ctl(events, EPOLL_CTL_ADD, fd, &wanted);
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event ready[64];
    int found = epoll_wait(events, ready, 64, -1);
    for (int i = 0; i < found; i++) {
      uint32_t value;
      if (read(ready[i].data.fd, &value, 4) != 4) continue;
      if (write(ready[i].data.fd, &value, 4) != 4 && errno != EINVAL) { perror("ack"); return 1; }
    }
  }
}
