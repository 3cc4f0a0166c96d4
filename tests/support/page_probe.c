/*
 * Reads a generation page as AWS-LC does: stat, open read-only, map 4 bytes shared, close; from
 * then on only memory is read. Prints the generation for each line of standard input; with
 * "time" as its second argument, the nanoseconds of one probe.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  struct stat status;
  if (argc < 2 || stat(argv[1], &status) != 0) return 1;
  int fd = open(argv[1], O_RDONLY);
  if (fd < 0) return 2;
  const volatile uint32_t *page = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return 3;
  if (argc > 2 && strcmp(argv[2], "time") == 0) {
    const long probes = 100000000;
    uint32_t cached = *page;
    long changes = 0;
    double start = seconds();
    for (long n = 0; n < probes; n++) changes += *page != cached;
    printf("%.3f %ld\n", (seconds() - start) * 1e9 / probes, changes);
    return 0;
  }
  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    printf("%u\n", *page);
    fflush(stdout);
  }
  return 0;
}
