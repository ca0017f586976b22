/*
 * Removes what an OCI layer says is deleted. Part of the agent's bundle, static; run by enter inside a container, where no path leads out.
 *
 * Reads paths from stdin, each ended by a NUL and relative to the root: `a/b` goes with everything below; of `a/b/` only what is below goes. No link
 * is followed, neither on the way nor below. A mount point and what lies on it stay: they belong to the pod.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int keep_top;

static int take(const char *path, const struct stat *status, int kind, struct FTW *where) {
  (void)status;
  if (where->level == 0 && keep_top) return 0;
  int done = kind == FTW_DP || kind == FTW_DNR ? rmdir(path) : unlink(path);
  /* A mount point, or a directory that holds one. */
  if (done == 0 || errno == EBUSY || errno == ENOTEMPTY || errno == EEXIST) return 0;
  fprintf(stderr, "remove: %s: %s\n", path, strerror(errno));
  return 1;
}

static int remove_one(char *path) {
  size_t length = strlen(path);
  keep_top = length > 0 && path[length - 1] == '/';
  while (length > 0 && path[length - 1] == '/') path[--length] = '\0';
  char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
  if (slash != NULL) *slash = '\0';
  if (*name == '\0' || strcmp(name, "..") == 0 || (strcmp(name, ".") == 0 && !keep_top)) { fprintf(stderr, "remove: no path\n"); return 1; }
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH};
  if (chdir("/") != 0) return 1;
  int parent = (int)syscall(SYS_openat2, AT_FDCWD, slash == NULL || *path == '\0' ? "." : path, &how, sizeof how);
  if (parent < 0 && (errno == ENOENT || errno == ENOTDIR)) return 0; /* nothing there to be deleted */
  if (parent < 0 || fchdir(parent) != 0) { fprintf(stderr, "remove: %s: %s\n", path, strerror(errno)); return 1; }
  close(parent);
  struct stat status;
  if (lstat(name, &status) != 0) return errno == ENOENT ? 0 : 1;
  return nftw(name, take, 16, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
}

int main(void) {
  char *path = NULL;
  size_t room = 0;
  while (getdelim(&path, &room, '\0', stdin) > 0) if (remove_one(path) != 0) return 1;
  return ferror(stdin) ? 1 : 0;
}
