/*
 * A workload made to be captured. It keeps a random token and a block of random memory that exist nowhere else, says both are intact once a
 * second, and leaves traces in its writable layer. A copy restored from a snapshot proves itself by going on with the same token and number.
 *
 * Environment:
 *   SNAPSHOT_CONTROL_DIR  directory of the sentinel files; without it the counter just counts
 *   MEMORY_MEBIBYTES      random memory to hold, default 512
 *   TICK_MILLISECONDS     time between two ticks, default 1000
 *   KEEP_RUNNING          1: go on after snapshot-complete instead of ending with code 0
 *   STATE_DIRECTORY       where the file `state` with the last number is kept, default /var/lib/counter
 *
 * Exit codes: 0 snapshot complete, 2 bad environment or no memory, 3 memory damaged, 143 SIGTERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { MEBIBYTE = 1 << 20, CHECKED_PER_TICK = 32 };

static volatile sig_atomic_t stopping;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static void fail(int code, const char *what) {
  printf("counter: %s: %s\n", what, strerror(errno));
  exit(code);
}

static long setting(const char *name, long fallback, long least, long most) {
  const char *text = getenv(name);
  if (!text || !*text) return fallback;
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || *end || value < least || value > most) {
    printf("counter: %s must be a number from %ld to %ld\n", name, least, most);
    exit(2);
  }
  return value;
}

static void draw(void *target, size_t size) {
  if (getrandom(target, size, 0) != (ssize_t)size) fail(2, "getrandom");
}

/* xorshift64*: the pages only have to be incompressible and distinct, and half a gibibyte of getrandom() would take seconds. */
static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545F4914F6CDD1DULL;
}

static uint64_t block_sum(const uint64_t *block) {
  uint64_t sum = 0x9E3779B97F4A7C15ULL;
  for (size_t i = 0; i < MEBIBYTE / sizeof *block; i++) sum = ((sum << 7) | (sum >> 57)) + block[i];
  return sum;
}

static void path_in(char *path, const char *directory, const char *name) {
  if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX) {
    errno = ENAMETOOLONG;
    fail(2, directory);
  }
}

static int exists(const char *directory, const char *name) {
  char path[PATH_MAX];
  path_in(path, directory, name);
  return access(path, F_OK) == 0;
}

static void replace_file(const char *directory, const char *name, const char *content) {
  char temporary[PATH_MAX], path[PATH_MAX];
  path_in(temporary, directory, ".new");
  path_in(path, directory, name);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail(2, temporary);
  if (write(fd, content, strlen(content)) < 0) fail(2, temporary);
  close(fd);
  if (rename(temporary, path) != 0) fail(2, path);
}

/* True once the counter is to end. Each sentinel is spoken of once. */
static int told_to_end(const char *control, int keep_running) {
  static int complete_seen, failed_seen, restored_seen;
  if (!failed_seen && exists(control, "snapshot-failed")) {
    failed_seen = 1;
    printf("snapshot-failed seen, going on\n");
  }
  if (!restored_seen && exists(control, "restore-complete")) {
    restored_seen = 1;
    printf("restore-complete seen, going on\n");
  }
  if (complete_seen || !exists(control, "snapshot-complete")) return 0;
  complete_seen = 1;
  printf("snapshot-complete seen, %s\n", keep_running ? "going on" : "ending");
  return !keep_running;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGTERM, stop);
  signal(SIGINT, stop);

  const char *control = getenv("SNAPSHOT_CONTROL_DIR");
  const char *state_directory = getenv("STATE_DIRECTORY");
  if (control && !*control) control = NULL;
  if (!state_directory || !*state_directory) state_directory = "/var/lib/counter";
  const long blocks = setting("MEMORY_MEBIBYTES", 512, 1, 1 << 20);
  const long tick_milliseconds = setting("TICK_MILLISECONDS", 1000, 1, 3600000);
  const int keep_running = setting("KEEP_RUNNING", 0, 0, 1) == 1;

  unlink("/etc/counter/first-start");

  unsigned char bytes[16];
  char token[2 * sizeof bytes + 1];
  draw(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; i++) sprintf(token + 2 * i, "%02x", bytes[i]);

  char *memory = mmap(NULL, (size_t)blocks * MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t *sums = calloc((size_t)blocks, sizeof *sums);
  if (memory == MAP_FAILED || !sums) fail(2, "memory");
  uint64_t random_state;
  draw(&random_state, sizeof random_state);
  random_state |= 1;
  for (long b = 0; b < blocks; b++) {
    uint64_t *block = (uint64_t *)(memory + b * (long)MEBIBYTE);
    for (size_t i = 0; i < MEBIBYTE / sizeof *block; i++) block[i] = next_random(&random_state);
    sums[b] = block_sum(block);
  }
  printf("warm with %ld MiB of random memory\n", blocks);
  if (control) replace_file(control, "ready-for-snapshot", "ready\n");

  long checked = 0;
  for (unsigned long tick = 1; !stopping; tick++) {
    for (int i = 0; i < CHECKED_PER_TICK; i++, checked = (checked + 1) % blocks) {
      if (block_sum((uint64_t *)(memory + checked * (long)MEBIBYTE)) == sums[checked]) continue;
      printf("memory damaged in MiB %ld at tick %lu\n", checked, tick);
      return 3;
    }
    char number[32];
    snprintf(number, sizeof number, "%lu\n", tick);
    replace_file(state_directory, "state", number);
    printf("tick %lu token=%s\n", tick, token);
    if (control && told_to_end(control, keep_running)) return 0;
    struct timespec pause = {tick_milliseconds / 1000, tick_milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
  }
  printf("stopped\n");
  return 143;
}
