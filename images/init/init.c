/*
 * PID 1 of a placeholder: the container a captured process is restored into. Static, because the image around it may hold no libc.
 *
 *   init                waits for the restored process, then stands for it: forwards signals, reaps, ends with its exit code
 *   init copy FILE...   copies itself (an init container puts it into the control volume this way)
 *   init probe          exit code 0 once the process is restored (the placeholder's startup probe)
 *   init exists PATH    exit code 0 if it is there (a source's readiness probe, where the image may have no `cat`)
 *
 * Files in the control directory: it says `placeholder-waiting` with its own start time, so that the agent can tell it from the init of an earlier
 * container of the pod; the agent says `restored` (before the process runs again), `restored-pid` (the restored root, as numbered in this PID
 * namespace) and `restore-complete`, or `restore-failed`. Everything is in the hands of the pod itself: nothing here is privileged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often the control directory is looked at until the process is restored. */
#define POLL_NANOSECONDS 50000000L
/* A restored process may end before its number is told: as many endings are remembered. */
#define ENDINGS 64

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};
static struct { pid_t pid; int status; } endings[ENDINGS];
static unsigned ended;

static const char *control_file(const char *name) {
  static char path[PATH_MAX];
  const char *directory = getenv("SNAPSHOT_CONTROL_DIR");
  if (directory == NULL || *directory == '\0') directory = "/snapshot-control";
  if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) exit(2);
  return path;
}

static int is_there(const char *name) {
  struct stat status;
  return lstat(control_file(name), &status) == 0;
}

/* A number in a small file; -1 when it is not there or is none. */
static pid_t read_pid(const char *name) {
  char text[32];
  int file = open(control_file(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return -1;
  text[length] = '\0';
  long pid = strtol(text, NULL, 10);
  return pid > 1 && pid < INT_MAX ? (pid_t)pid : -1;
}

/* Its own start time, field 22 of /proc/PID/stat, as `placeholder-waiting`; a reader sees it whole or not at all. */
static int say_waiting(void) {
  char text[1024], partial[PATH_MAX];
  int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (length <= 0) { perror("/proc/self/stat"); return -1; }
  close(file);
  text[length] = '\0';
  char *field = strrchr(text, ')');
  for (int index = 2; field != NULL && index < 22; index++) field = strchr(field + 1, ' ');
  if (field == NULL) return -1;
  snprintf(partial, sizeof partial, "%s", control_file(".placeholder-waiting"));
  file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0 || dprintf(file, "%llu\n", strtoull(field + 1, NULL, 10)) < 0) { perror(partial); return -1; }
  close(file);
  if (rename(partial, control_file("placeholder-waiting")) != 0) { perror("placeholder-waiting"); return -1; }
  return 0;
}

static int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps whatever has ended; the exit code of `root` once it is among them, else -1. */
static int reap(pid_t root) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
    endings[ended % ENDINGS].pid = pid;
    endings[ended % ENDINGS].status = status;
    ended++;
  }
  for (unsigned index = 0; root > 0 && index < ENDINGS && index < ended; index++) {
    if (endings[index].pid == root) return exit_code(endings[index].status);
  }
  return -1;
}

static int stand_in(void) {
  /* A restarted placeholder is a new attempt: what was said to the last one does not count. */
  const char *stale[] = {"placeholder-waiting", "restore-begun", "restored", "restored-pid", "restore-complete", "restore-failed"};
  for (unsigned index = 0; index < sizeof stale / sizeof *stale; index++) unlink(control_file(stale[index]));
  if (say_waiting() != 0) return 2;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (unsigned index = 0; index < sizeof forwarded / sizeof *forwarded; index++) sigaddset(&signals, forwarded[index]);
  if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) return 2;
  const struct timespec pause = {0, POLL_NANOSECONDS};
  pid_t root = -1;
  for (;;) {
    siginfo_t info;
    int signal = root > 0 ? sigwaitinfo(&signals, &info) : sigtimedwait(&signals, &info, &pause);
    if (root <= 0) {
      root = read_pid("restored-pid");
      if (root <= 0 && is_there("restore-failed")) {
        fputs("cryopod: the restore failed; the pod's condition nvidia.com/Restored says why\n", stderr);
        return 1;
      }
    }
    int code = reap(root);
    if (code >= 0) return code;
    if (signal <= 0 || signal == SIGCHLD) continue;
    if (root > 0) kill(root, signal);
    else if (signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || signal == SIGHUP) return 128 + signal;
  }
}

static int copy_to(const char *target) {
  char partial[PATH_MAX];
  if (snprintf(partial, sizeof partial, "%s.partial", target) >= (int)sizeof partial) return 2;
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  unlink(partial);
  int to = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  struct stat status;
  if (from < 0 || to < 0 || fstat(from, &status) != 0) { perror(target); return 1; }
  off_t left = status.st_size;
  while (left > 0) {
    ssize_t moved = sendfile(to, from, NULL, (size_t)left);
    if (moved <= 0) { perror(target); return 1; }
    left -= moved;
  }
  /* The umask must not decide whether the workload's user can run it. */
  if (fchmod(to, 0755) != 0 || close(to) != 0 || rename(partial, target) != 0) { perror(target); return 1; }
  close(from);
  return 0;
}

int main(int count, char **words) {
  if (count == 1) return stand_in();
  if (strcmp(words[1], "probe") == 0 && count == 2) return is_there("restore-complete") ? 0 : 1;
  if (strcmp(words[1], "exists") == 0 && count == 3) return access(words[2], F_OK) == 0 ? 0 : 1;
  if (strcmp(words[1], "copy") == 0 && count > 2) {
    int code = 0;
    for (int index = 2; index < count && code == 0; index++) code = copy_to(words[index]);
    return code;
  }
  fputs("usage: init | init probe | init exists PATH | init copy FILE...\n", stderr);
  return 2;
}
