// Operations on files, directories and device nodes.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ops.h"
#include "paths.h"

enum { OPEN_TRIES = 1000 };

long op_openat(struct run *run, const union arg *a) {
  return openat(a[1].fd, a[2].s.data, (int)a[3].i | O_CLOEXEC, (mode_t)a[4].i);
}

static long openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  long fd = -1;
  // EAGAIN: something was renamed or mounted, anywhere, while the kernel made sure that ".." stays inside.
  for (int tries = 0; tries < OPEN_TRIES; tries++) {
    fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
    if (tries > OPEN_TRIES / 2) sched_yield();
  }
  return fd;
}

long op_openat2(struct run *run, const union arg *a) {
  return openat2(a[1].fd, a[2].s.data, (uint64_t)a[3].i, (uint64_t)a[4].i, (uint64_t)a[5].i);
}

int open_in_root(int root, const char *path, int flags) {
  return (int)openat2(root, path, (uint64_t)flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

long op_close(struct run *run, const union arg *a) {
  for (int i = 0; i < SLOTS; i++)
    if (run->slots[i] == a[0].fd) run->slots[i] = -1;
  return close(a[0].fd);
}

static long write_all(int fd, struct bytes data) {
  ssize_t n = write(fd, data.data, data.size);
  if (n >= 0 && (size_t)n < data.size) errno = ENOSPC;
  return n == (ssize_t)data.size ? 0 : -1;
}

long op_write(struct run *run, const union arg *a) {
  return write_all(a[0].fd, a[1].s);
}

static long write_and_close(int fd, struct bytes data) {
  if (fd < 0) return -1;
  return close_keep(write_all(fd, data), fd);
}

long op_write_file(struct run *run, const union arg *a) {
  return write_and_close(openat(a[0].fd, a[1].s.data, O_WRONLY | O_CLOEXEC), a[2].s);
}

long op_read_file(struct run *run, const union arg *a) {
  size_t most = a[2].i < 0 || a[2].i > FRAME_MAX / 2 ? FRAME_MAX / 2 : (size_t)a[2].i;
  int fd = openat(a[0].fd, a[1].s.data, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char *data = malloc(most + 1);
  size_t size = 0;
  ssize_t n = data ? 1 : -1;
  while (n > 0 && size < most) {
    n = read(fd, data + size, most - size);
    if (n > 0) size += (size_t)n;
  }
  if (n >= 0) run_output(run, data, (uint32_t)size);
  free(data);
  return close_keep(n < 0 ? -1 : 0, fd);
}

long op_mkdirat(struct run *run, const union arg *a) {
  return mkdirat(a[0].fd, a[1].s.data, (mode_t)a[2].i);
}

long op_mknodat(struct run *run, const union arg *a) {
  return mknodat(a[0].fd, a[1].s.data, (mode_t)a[2].i, (dev_t)a[3].i);
}

long op_symlinkat(struct run *run, const union arg *a) {
  return symlinkat(a[0].s.data, a[1].fd, a[2].s.data);
}

long op_fchownat(struct run *run, const union arg *a) {
  return fchownat(a[0].fd, a[1].s.data, (uid_t)a[2].i, (gid_t)a[3].i, (int)a[4].i);
}

long op_fchmodat(struct run *run, const union arg *a) {
  return fchmodat(a[0].fd, a[1].s.data, (mode_t)a[2].i, 0);
}

long op_unlinkat(struct run *run, const union arg *a) {
  return unlinkat(a[0].fd, a[1].s.data, (int)a[2].i);
}

long op_eventfd_oom(struct run *run, const union arg *a) {
  char text[32];
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int control = openat(a[1].fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
  int size = snprintf(text, sizeof text, "%d %d", event, control);
  int to = openat(a[1].fd, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
  long rc = control < 0 ? -1 : write_and_close(to, (struct bytes){text, (uint32_t)size});
  close_keep(0, control);
  return rc < 0 ? close_keep(-1, event) : event;
}

// Puts the target of the symbolic link at path[0..end) in its place. Still only text: whatever comes out
// is resolved inside the root again.
static int follow_by_text(int root, char *path, size_t end) {
  char parent[PATH_MAX], link[PATH_MAX], joined[2 * PATH_MAX];
  size_t slash = end;
  while (slash > 0 && path[slash - 1] != '/') slash--;
  snprintf(parent, sizeof parent, "%.*s", (int)slash, path);
  char name[NAME_MAX + 1];
  if (end - slash > NAME_MAX) return errno = ENAMETOOLONG, -1;
  snprintf(name, sizeof name, "%.*s", (int)(end - slash), path + slash);
  int dir = open_in_root(root, *parent ? parent : "/", O_PATH | O_DIRECTORY);
  if (dir < 0) return -1;
  ssize_t n = readlinkat(dir, name, link, sizeof link - 1);
  close(dir);
  if (n < 0) return -1;
  link[n] = 0;
  int size = snprintf(joined, sizeof joined, "%s%s%s", *link == '/' ? "" : parent, link, path + end);
  if (size >= PATH_MAX) return errno = ENAMETOOLONG, -1;
  memcpy(path, joined, (size_t)size + 1);
  return 0;
}

static int make_last(int dir, const char *name, bool directory, mode_t mode) {
  if (directory) return mkdirat(dir, name, mode);
  int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd >= 0) close(fd);
  return fd < 0 ? -1 : 0;
}

// Makes what is missing of `path` inside root, one component at a time, each looked up by RESOLVE_IN_ROOT.
static int make_missing(int root, const char *wanted, bool directory, mode_t mode) {
  char path[PATH_MAX], prefix[PATH_MAX];
  int links = 0;
  if (snprintf(path, sizeof path, "%s", wanted) >= (int)sizeof path) return errno = ENAMETOOLONG, -1;
  for (size_t at = 0; path[at];) {
    size_t begin = at;
    while (path[begin] == '/') begin++;
    size_t end = begin;
    while (path[end] && path[end] != '/') end++;
    if (end == begin) break;
    bool last = path[end + strspn(path + end, "/")] == 0;
    snprintf(prefix, sizeof prefix, "%.*s", (int)end, path);
    int fd = open_in_root(root, prefix, O_PATH);
    if (fd >= 0) {
      close(fd);
      at = end;
      continue;
    }
    if (errno != ENOENT) return -1;
    char parent[PATH_MAX], name[NAME_MAX + 1];
    if (end - begin > NAME_MAX) return errno = ENAMETOOLONG, -1;
    snprintf(parent, sizeof parent, "/%.*s", (int)begin, path);
    snprintf(name, sizeof name, "%.*s", (int)(end - begin), path + begin);
    int dir = open_in_root(root, parent, O_PATH | O_DIRECTORY);
    if (dir < 0) return -1;
    long rc = close_keep(make_last(dir, name, directory || !last, last ? mode : 0755), dir);
    if (rc == 0) {
      at = end;
    } else if (errno == EEXIST) { // a link whose target is missing
      if (++links > 40) return errno = ELOOP, -1;
      if (follow_by_text(root, path, end) < 0) return -1;
      at = 0;
    } else {
      return -1;
    }
  }
  return 0;
}

long op_make_target(struct run *run, const union arg *a) {
  bool directory = a[3].i != 0;
  int flags = O_PATH | (directory ? O_DIRECTORY : 0);
  int fd = open_in_root(a[1].fd, a[2].s.data, flags);
  if (fd >= 0 || errno != ENOENT) return fd;
  if (make_missing(a[1].fd, a[2].s.data, directory, (mode_t)a[4].i) < 0) return -1;
  return open_in_root(a[1].fd, a[2].s.data, flags);
}

int check_procfs(int fd) {
  enum { PROC_MAGIC = 0x9fa0, PROC_ROOT_INODE = 1 };
  struct statfs fs;
  struct stat st;
  if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0) return -1;
  if (fs.f_type == PROC_MAGIC && st.st_ino == PROC_ROOT_INODE) return 0;
  return errno = EXDEV, -1;
}

long op_write_sysctl(struct run *run, const union arg *a) {
  int proc = open_in_root(a[0].fd, "/proc", O_PATH | O_DIRECTORY);
  if (proc < 0) return -1;
  int sys = check_procfs(proc) < 0 ? -1 : openat(proc, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  close_keep(0, proc);
  if (sys < 0) return -1;
  int fd = (int)openat2(sys, a[1].s.data, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  close_keep(0, sys);
  return write_and_close(fd, a[2].s);
}
