/*
 * Runs a program inside the namespaces of a container, with directories of the agent's own mounted there. Part of the agent's image, static.
 *
 *   enter --process PID:STARTTICKS [OPTION...] -- PROGRAM [ARGUMENT...]
 *     --cgroup FILE       a cgroup.procs file to join first (repeatable)
 *     --open N=MODE:FILE  opens FILE outside as descriptor N; MODE r, w or n (a namespace of the container, FILE its name)
 *     --stage DIRECTORY   takes a tmpfs; its parent is there and is reached without a link. Made, and removed at the end: PROGRAM may bind the parent
 *                         elsewhere, and must not bind the tmpfs along with it
 *     --tree NAME=FROM    the directory FROM, read-only, as NAME in the stage (repeatable)
 *     --keep NAME=TO      copies the regular file NAME of the stage to the new file TO at the end (repeatable)
 *     --make DIRECTORY    makes it if it is not there (repeatable)
 *     --proc-sys          /proc/sys can be written
 *     --writable DIRECTORY  a mount point that may be read-only can be written (repeatable)
 *
 * Everything is mounted in a copy of the container's mount namespace: nothing of it appears in the container, and all of it is gone with the last
 * process in the copy, whatever ended it. Nothing of the container is ever executed or read: PROGRAM is found in a tree of the agent's.
 * PROGRAM's children become those of the container's PID 1 when this ends. Exit code: PROGRAM's, 128 + signal, or 125 with a message.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 32
enum { FAILED = 125 };
struct pair { const char *name; const char *value; int fd; };

static struct { int kind; const char *name; int fd; } namespaces[] = {
  {CLONE_NEWNS, "mnt", -1}, {CLONE_NEWUTS, "uts", -1}, {CLONE_NEWIPC, "ipc", -1}, {CLONE_NEWNET, "net", -1}, {CLONE_NEWPID, "pid", -1},
};
static const size_t namespace_count = sizeof namespaces / sizeof *namespaces;
static struct pair trees[MANY], kept[MANY], opened[MANY];
static const char *writable[MANY], *made[MANY];
static size_t tree_count, kept_count, opened_count, writable_count, made_count;

static void die(const char *format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fputs("enter: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, ": %s\n", error == 0 ? "refused" : strerror(error));
  exit(FAILED);
}

/* NAME=VALUE; names become names of directory entries. */
static struct pair *split(struct pair *pairs, size_t *count, char *word) {
  char *equals = strchr(word, '=');
  errno = 0;
  if (*count >= MANY || equals == NULL || equals == word) die("%s", word);
  *equals = '\0';
  pairs[*count] = (struct pair){word, equals + 1, -1};
  return &pairs[(*count)++];
}

/* When the process began, in ticks since the boot: with its number it names the process for good. */
static unsigned long long start_ticks(const char *process) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%s/stat", process);
  FILE *file = fopen(path, "re");
  if (file == NULL) die("process %s", process);
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = '\0';
  char *field = strrchr(text, ')');
  for (int index = 2; field != NULL && index < 22; index++) field = strchr(field + 1, ' ');
  return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

/* Everything of the container by descriptor, then a look whether it was one process all the time. */
static void open_namespaces(char *process) {
  char *colon = strchr(process, ':');
  errno = 0;
  if (colon == NULL) die("%s", process);
  *colon = '\0';
  char path[64];
  for (size_t index = 0; index < namespace_count; index++) {
    snprintf(path, sizeof path, "/proc/%s/ns/%s", process, namespaces[index].name);
    if ((namespaces[index].fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) die("%s", path);
  }
  for (size_t index = 0; index < opened_count; index++) {
    const char mode = opened[index].value[0], *name = opened[index].value + 2;
    if (mode == 'n') snprintf(path, sizeof path, "/proc/%s/ns/%s", process, name);
    const int flags = mode == 'w' ? O_WRONLY : O_RDONLY;
    opened[index].fd = open(mode == 'n' ? path : name, flags | O_CLOEXEC | O_NOCTTY);
    if (opened[index].fd < 0) die("%s", mode == 'n' ? path : name);
    /* Out of the way of the numbers they will get. */
    if ((opened[index].fd = fcntl(opened[index].fd, F_DUPFD_CLOEXEC, 100)) < 0) die("%s", name);
  }
  errno = 0;
  if (start_ticks(process) != strtoull(colon + 1, NULL, 10)) die("process %s is another one by now", process);
}

static int clone_tree(const char *from) {
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) die("%s", from);
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) die("%s cannot be made read-only", from);
  return tree;
}

static int new_stage(void) {
  int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) die("tmpfs");
  syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0700", 0);
  if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) die("tmpfs");
  int stage = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (stage < 0) die("tmpfs");
  close(context);
  return stage;
}

static void attach(int tree, int at, const char *name) {
  if (syscall(SYS_move_mount, tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) die("mounting %s", name);
}

static int open_plain(const char *path) {
  struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int directory = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (directory < 0) die("%s in the container", path);
  return directory;
}

/* Makes the directory where it is not there yet. */
static int make_stage(const char *path) {
  char parent[4096];
  const char *name = strrchr(path, '/');
  errno = 0;
  if (name == NULL || name == path || (size_t)(name - path) >= sizeof parent) die("stage %s", path);
  memcpy(parent, path, (size_t)(name - path));
  parent[name - path] = '\0';
  int above = open_plain(parent);
  if (mkdirat(above, name + 1, 0700) != 0 && errno != EEXIST) die("%s", path);
  close(above);
  return open_plain(path);
}

/* In a copy of the container's mount namespace. Mounts made here stay here; what the node mounts into the container still arrives. */
static void arrange(int stage, const char *stage_path, int proc_sys) {
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) die("a mount namespace of its own");
  if (proc_sys && mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL) != 0 && errno != EINVAL) die("/proc/sys");
  for (size_t index = 0; index < writable_count; index++) {
    if (mount(NULL, writable[index], NULL, MS_REMOUNT | MS_BIND, NULL) != 0) die("%s cannot be made writable", writable[index]);
  }
  struct stat status;
  for (size_t index = 0; index < made_count; index++) {
    if (stat(made[index], &status) != 0 && mkdir(made[index], 0755) != 0) die("%s", made[index]);
  }
  if (stage < 0) return;
  attach(stage, make_stage(stage_path), stage_path);
  for (size_t index = 0; index < tree_count; index++) {
    if (mkdirat(stage, trees[index].name, 0700) != 0) die("%s", trees[index].name);
    int at = openat(stage, trees[index].name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    attach(trees[index].fd, at, trees[index].name);
  }
}

static void keep(int stage) {
  char buffer[65536];
  for (size_t index = 0; index < kept_count; index++) {
    int from = openat(stage, kept[index].name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0) continue;
    int to = open(kept[index].value, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) die("%s", kept[index].value);
    ssize_t length;
    while ((length = read(from, buffer, sizeof buffer)) > 0) {
      if (write(to, buffer, (size_t)length) != length) die("%s", kept[index].value);
    }
    close(from);
    close(to);
  }
}

static int wait_for(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0) if (errno != EINTR) die("waiting");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int count, char **words) {
  char *process = NULL;
  const char *stage_path = NULL;
  int proc_sys = 0, index = 1;
  for (; index < count && strcmp(words[index], "--") != 0; index++) {
    char *option = words[index];
    if (strcmp(option, "--proc-sys") == 0) { proc_sys = 1; continue; }
    char *value = index + 1 < count ? words[++index] : (errno = 0, die("%s needs a value", option), option);
    if (strcmp(option, "--process") == 0) process = value;
    else if (strcmp(option, "--stage") == 0) stage_path = value;
    else if (strcmp(option, "--tree") == 0) split(trees, &tree_count, value);
    else if (strcmp(option, "--keep") == 0) split(kept, &kept_count, value);
    else if (strcmp(option, "--open") == 0) split(opened, &opened_count, value);
    else if (strcmp(option, "--writable") == 0 && writable_count < MANY) writable[writable_count++] = value;
    else if (strcmp(option, "--make") == 0 && made_count < MANY) made[made_count++] = value;
    else if (strcmp(option, "--cgroup") == 0) {
      int file = open(value, O_WRONLY | O_CLOEXEC);
      if (file < 0 || write(file, "0", 1) != 1) die("cgroup %s", value);
      close(file);
    } else { errno = 0; die("%s is no option", option); }
  }
  errno = 0;
  if (process == NULL || index + 1 >= count) die("a process and a program are needed");
  open_namespaces(process);
  for (size_t at = 0; at < tree_count; at++) trees[at].fd = clone_tree(trees[at].value);
  int stage = stage_path == NULL ? -1 : new_stage();
  pid_t outer = fork(); /* stays outside, so that what is kept is written outside */
  if (outer < 0) die("fork");
  if (outer > 0) {
    int code = wait_for(outer);
    if (stage >= 0) keep(stage);
    return code;
  }
  for (size_t at = 0; at < namespace_count; at++) {
    if (setns(namespaces[at].fd, namespaces[at].kind) != 0) die("namespace %s", namespaces[at].name);
  }
  pid_t inner = fork(); /* only a child is in the PID namespace; it must outlive PROGRAM for PROGRAM's children to go to PID 1 */
  if (inner < 0) die("fork");
  if (inner > 0) return wait_for(inner);
  arrange(stage, stage_path, proc_sys);
  /* For keep-hostname: what CRIU is about to overwrite. */
  char hostname[65] = "";
  if (gethostname(hostname, sizeof hostname - 1) != 0 || setenv("CRYOPOD_HOSTNAME", hostname, 1) != 0) die("hostname");
  pid_t program = fork();
  if (program < 0) die("fork");
  if (program > 0) {
    int code = wait_for(program);
    if (stage_path != NULL && (umount2(stage_path, MNT_DETACH) != 0 || rmdir(stage_path) != 0)) die("removing %s", stage_path);
    return code;
  }
  for (size_t at = 0; at < opened_count; at++) {
    if (dup2(opened[at].fd, atoi(opened[at].name)) < 0) die("descriptor %s", opened[at].name);
  }
  execv(words[index + 1], words + index + 1);
  die("%s", words[index + 1]);
}
