/*
 * Reads a vmclock page as a program does that maps it (AWS-LC's reader, Linux' vmclock-abi.h): the
 * sequence, the generation and the marker, the sequence once more. It looks without a pause until
 * its standard input ends, and then prints how many looks it made, how many of them found an odd
 * sequence, how often it gave up after 1024 tries, how often what it had read went back, and the
 * last generation.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRIES 1024

static const volatile uint32_t *sequence;
static const volatile uint64_t *marker, *generation;
static long looks, odd, gave_up;

/* One reading of the page; 0 when it had to give up. */
static int read_page(uint64_t *shown_marker, uint64_t *shown_generation) {
  for (int tries = 0; tries < TRIES; tries++) {
    uint32_t before = *sequence;
    atomic_thread_fence(memory_order_acquire);
    looks++;
    if (before % 2 != 0) {
      odd++;
      continue;
    }
    *shown_marker = *marker;
    *shown_generation = *generation;
    atomic_thread_fence(memory_order_acquire);
    if (*sequence == before) return 1;
  }
  gave_up++;
  return 0;
}

int main(int argc, char **argv) {
  int fd = argc < 2 ? -1 : open(argv[1], O_RDONLY);
  if (fd < 0) return 2;
  const unsigned char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return 3;
  sequence = (const volatile uint32_t *)(page + 0x0c);
  marker = (const volatile uint64_t *)(page + 0x10);
  generation = (const volatile uint64_t *)(page + 0x68);
  printf("ready\n");
  fflush(stdout);
  uint64_t last_marker = 0, last_generation = 0, shown_marker, shown_generation;
  long went_back = 0;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  for (long round = 0;; round++) {
    if (round % 4096 == 0 && poll(&input, 1, 0) != 0) break;
    if (!read_page(&shown_marker, &shown_generation)) continue;
    went_back += shown_marker < last_marker || shown_generation < last_generation;
    last_marker = shown_marker;
    last_generation = shown_generation;
  }
  read_page(&shown_marker, &shown_generation);
  printf("{\"looks\":%ld,\"odd\":%ld,\"gaveUp\":%ld,\"wentBack\":%ld,\"generation\":%lu}\n", looks,
         odd, gave_up, went_back, (unsigned long)shown_generation);
  return 0;
}
