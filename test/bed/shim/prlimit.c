/*
 * For test beds whose root lacks CAP_SYS_RESOURCE: there CRIU may not read the resource limits of a process of another user ("Can't get rlimit 0:
 * Operation not permitted"). This library, preloaded into criu, answers such a refused question from /proc/PID/limits, which needs no capability.
 * It changes no limit and is no part of the product: a real agent has the capability.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>

static rlim_t limit_of(const char *word) {
  return strcmp(word, "unlimited") == 0 ? RLIM_INFINITY : (rlim_t)strtoull(word, NULL, 10);
}

/* /proc/PID/limits has one line a resource, in the order of their numbers, after a heading; the name is padded to 25 columns. */
static long read_limits(pid_t pid, int resource, struct rlimit *old) {
  char path[64], line[256], soft[32], hard[32];
  snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  int found = 0;
  for (int number = -1; fgets(line, sizeof line, file); number++)
    if (number == resource && strlen(line) > 25) found = sscanf(line + 25, "%31s %31s", soft, hard) == 2;
  fclose(file);
  if (!found) {
    errno = EPERM;
    return -1;
  }
  old->rlim_cur = limit_of(soft);
  old->rlim_max = limit_of(hard);
  return 0;
}

long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result == -1 && errno == EPERM && number == SYS_prlimit64 && a[2] == 0 && a[3] != 0)
    return read_limits((pid_t)a[0], (int)a[1], (struct rlimit *)a[3]);
  return result;
}
