// Operations on the process itself: namespaces, identity, limits, capabilities, exec.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "init.h"
#include "ops.h"
#include "seal.h"
#include "shim.h"
#include "status.h"
#include "streams.h"

long op_pidfd_open(struct run *run, const union arg *a) {
  int fd = (int)syscall(SYS_pidfd_open, (pid_t)a[1].i, 0);
  // Read after the descriptor exists: it cannot change its process any more.
  if (fd < 0 || a[2].i == 0 || start_time((pid_t)a[1].i) == (uint64_t)a[2].i) return fd;
  close(fd);
  return errno = ESRCH, -1;
}

long op_setns(struct run *run, const union arg *a) {
  return setns(a[0].fd, (int)a[1].i);
}

long op_unshare(struct run *run, const union arg *a) {
  return unshare((int)a[0].i);
}

long op_clone_parent(struct run *run, const union arg *a) {
  int pidfd = -1;
  struct clone_args args = {
      .flags = (uint64_t)a[0].i | CLONE_PARENT | CLONE_PIDFD | CLONE_FILES,
      .pidfd = (uint64_t)(uintptr_t)&pidfd,
  };
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid <= 0) return pid;
  shim_hand_over((pid_t)pid, pidfd);
  _exit(0);
}

long op_await_parent(struct run *run, const union arg *a) {
  return shim_await_parent(a[0].i != 0);
}

long op_setresgid(struct run *run, const union arg *a) {
  return setresgid((gid_t)a[0].i, (gid_t)a[1].i, (gid_t)a[2].i);
}

long op_setresuid(struct run *run, const union arg *a) {
  return setresuid((uid_t)a[0].i, (uid_t)a[1].i, (uid_t)a[2].i);
}

long op_setgroups(struct run *run, const union arg *a) {
  gid_t groups[NGROUPS_MAX / 16];
  size_t n = a[0].s.size / 4;
  if (n > sizeof groups / sizeof *groups) return errno = EINVAL, -1;
  struct reader in = {(const uint8_t *)a[0].s.data, (const uint8_t *)a[0].s.data + a[0].s.size, false};
  for (size_t i = 0; i < n; i++) groups[i] = read_u32(&in);
  return setgroups(n, groups);
}

long op_sethostname(struct run *run, const union arg *a) {
  return sethostname(a[0].s.data, a[0].s.size);
}

long op_setdomainname(struct run *run, const union arg *a) {
  return setdomainname(a[0].s.data, a[0].s.size);
}

long op_prlimit(struct run *run, const union arg *a) {
  struct rlimit limit = {(rlim_t)a[1].i, (rlim_t)a[2].i};
  return prlimit(run->pid, (unsigned)a[0].i, &limit, NULL);
}

long op_prctl(struct run *run, const union arg *a) {
  return prctl((int)a[0].i, a[1].i, a[2].i, a[3].i, a[4].i);
}

long op_capset(struct run *run, const union arg *a) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int half = 0; half < 2; half++) {
    data[half].effective = (uint32_t)((uint64_t)a[0].i >> (32 * half));
    data[half].permitted = (uint32_t)((uint64_t)a[1].i >> (32 * half));
    data[half].inheritable = (uint32_t)((uint64_t)a[2].i >> (32 * half));
  }
  return syscall(SYS_capset, &header, data);
}

long op_capbset_drop(struct run *run, const union arg *a) {
  for (int cap = 0; cap < 64; cap++) {
    if ((uint64_t)a[0].i >> cap & 1) continue;
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) return errno == EINVAL ? 0 : -1; // the kernel's last
  }
  return 0;
}

long op_cap_ambient_raise(struct run *run, const union arg *a) {
  for (int cap = 0; cap < 64; cap++)
    if (((uint64_t)a[0].i >> cap & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0) return -1;
  return 0;
}

long op_seccomp(struct run *run, const union arg *a) {
  size_t n = a[1].s.size / sizeof(struct sock_filter);
  if (n == 0 || n > BPF_MAXINSNS) return errno = EINVAL, -1;
  struct sock_filter *filter = malloc(n * sizeof *filter);
  if (!filter) return -1;
  memcpy(filter, a[1].s.data, n * sizeof *filter);
  struct sock_fprog program = {(unsigned short)n, filter};
  long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)a[0].i, &program);
  free(filter);
  return rc;
}

long op_keyctl_join(struct run *run, const union arg *a) {
  return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, a[0].s.size ? a[0].s.data : NULL);
}

long op_umask(struct run *run, const union arg *a) {
  umask((mode_t)a[0].i);
  return 0;
}

long op_chroot(struct run *run, const union arg *a) {
  return chroot(a[0].s.data);
}

long op_chdir(struct run *run, const union arg *a) {
  char cwd[PATH_MAX];
  if (chdir(a[0].s.data) < 0) return -1;
  // Through a leaked descriptor the directory could lie outside; the kernel then says "(unreachable)".
  if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0) return -1;
  return cwd[0] == '/' ? 0 : (errno = EXDEV, -1);
}

long op_open_terminal(struct run *run, const union arg *a) {
  int unlocked = 0;
  struct winsize size = {.ws_row = (unsigned short)a[4].i, .ws_col = (unsigned short)a[5].i};
  if (ioctl(a[1].fd, TIOCSPTLCK, &unlocked) < 0) return -1;
  int terminal = ioctl(a[1].fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return -1;
  if (fchown(terminal, (uid_t)a[2].i, (gid_t)a[3].i) < 0) return -1;
  if (size.ws_row && ioctl(terminal, TIOCSWINSZ, &size) < 0) return -1;
  return terminal;
}

long op_stdio(struct run *run, const union arg *a) {
  return shim_own_descriptors() < 0 ? -1 : streams_enter(a[0].fd);
}

static char **split(struct bytes list) {
  size_t n = 0, at = 0;
  for (size_t i = 0; i < list.size; i++) n += list.data[i] == 0;
  char **strings = malloc((n + 2) * sizeof *strings);
  if (!strings) return NULL;
  n = 0;
  while (at < list.size) {
    strings[n++] = (char *)(uintptr_t)list.data + at;
    at += strlen(list.data + at) + 1;
  }
  strings[n] = NULL;
  return strings;
}

int exec_search(char **argv, char **env) {
  if (!argv[0] || !*argv[0]) return errno = ENOENT, -1;
  if (strchr(argv[0], '/')) return execve(argv[0], argv, env);
  const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (char **e = env; *e; e++)
    if (strncmp(*e, "PATH=", 5) == 0) path = *e + 5;
  while (true) {
    char file[PATH_MAX];
    size_t size = strcspn(path, ":");
    if (snprintf(file, sizeof file, "%.*s/%s", (int)size, size ? path : ".", argv[0]) < (int)sizeof file) {
      execve(file, argv, env);
      // What is no runnable file here may be one in the next directory.
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES && errno != ELOOP) return -1;
    }
    if (!path[size]) break;
    path += size + 1;
  }
  return errno = ENOENT, -1;
}

static unsigned first_closed = 3;

long op_keep(struct run *run, const union arg *a) {
  const uint8_t *slots = (const uint8_t *)a[0].s.data;
  enum { KEPT_MAX = 64, ABOVE = SLOTS + 100 };
  int at[KEPT_MAX];
  if (a[0].s.size > KEPT_MAX) return errno = EINVAL, -1;
  if (sealed_move(ABOVE) < 0) return -1;
  // Out of the way first: one may lie where another is to come.
  for (uint32_t i = 0; i < a[0].s.size; i++) {
    at[i] = slots[i] < SLOTS ? fcntl(run->slots[slots[i]], F_DUPFD_CLOEXEC, ABOVE) : -1;
    if (at[i] < 0) return -1;
  }
  for (uint32_t i = 0; i < a[0].s.size; i++)
    if (dup2(at[i], 3 + (int)i) < 0) return -1;
  first_closed = 3 + a[0].s.size;
  return 0;
}

static int close_others(void) {
  int rc = (int)syscall(SYS_close_range, first_closed, ~0U, CLOSE_RANGE_CLOEXEC);
  return rc < 0 && errno != ENOSYS && errno != EINVAL ? -1 : 0;
}

static long exec_now(struct bytes arguments, struct bytes environment, bool init) {
  char **argv = split(arguments), **env = split(environment);
  if (!argv || !env || close_others() < 0) return -1;
  return init ? exec_builtin_init(argv, env) : exec_search(argv, env);
}

long op_exec_vmm(struct run *run, const union arg *a) {
  char **argv = split(a[0].s), *none[] = {NULL};
  int self = sealed_self();
  if (!argv || close_others() < 0) return -1;
  return syscall(SYS_execveat, self, "", argv, none, AT_EMPTY_PATH);
}

long op_clock_settime(struct run *run, const union arg *a) {
  return clock_settime(CLOCK_REALTIME, &(struct timespec){.tv_sec = a[0].i, .tv_nsec = a[1].i});
}

long op_execve(struct run *run, const union arg *a) {
  run_mark(run, "execve");
  return exec_now(a[0].s, a[1].s, false);
}

long op_exec_init(struct run *run, const union arg *a) {
  return exec_now(a[0].s, a[1].s, true);
}
