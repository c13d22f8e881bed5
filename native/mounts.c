// Operations on mounts, all by descriptor.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ops.h"
#include "paths.h"

enum { AT_RECURSIVE_TREE = 0x8000 };

static long attach(int mount, int target) {
  return syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

long op_open_tree(struct run *run, const union arg *a) {
  return syscall(SYS_open_tree, a[1].fd, a[2].s.data, (unsigned)a[3].i | OPEN_TREE_CLOEXEC);
}

long op_move_mount(struct run *run, const union arg *a) {
  return syscall(SYS_move_mount, a[0].fd, a[1].s.data, a[2].fd, a[3].s.data, (unsigned)a[4].i);
}

static long setattr(int dir, const char *path, int64_t flags, struct mount_attr attr) {
  return syscall(SYS_mount_setattr, dir, path, (unsigned)flags, &attr, sizeof attr);
}

long op_mount_setattr(struct run *run, const union arg *a) {
  struct mount_attr attr = {
      .attr_set = (uint64_t)a[3].i,
      .attr_clr = (uint64_t)a[4].i,
      .propagation = (uint64_t)a[5].i,
      .userns_fd = a[6].fd < 0 ? 0 : (uint64_t)a[6].fd,
  };
  return setattr(a[0].fd, a[1].s.data, a[2].i, attr);
}

long op_fsopen(struct run *run, const union arg *a) {
  return syscall(SYS_fsopen, a[1].s.data, (unsigned)a[2].i | FSOPEN_CLOEXEC);
}

long op_fsconfig(struct run *run, const union arg *a) {
  const char *key = a[2].s.size ? a[2].s.data : NULL;
  const char *value = a[1].i == FSCONFIG_SET_STRING ? a[3].s.data : NULL;
  return syscall(SYS_fsconfig, a[0].fd, (unsigned)a[1].i, key, value, (int)a[4].i);
}

long op_fsmount(struct run *run, const union arg *a) {
  return syscall(SYS_fsmount, a[1].fd, (unsigned)a[2].i | FSMOUNT_CLOEXEC, (unsigned)a[3].i);
}

long op_mount(struct run *run, const union arg *a) {
  const char *data = a[4].s.size ? a[4].s.data : NULL;
  return syscall(SYS_mount, a[0].s.data, a[1].s.data, a[2].s.data, (unsigned long)a[3].i, data);
}

long op_umount2(struct run *run, const union arg *a) {
  return syscall(SYS_umount2, a[0].s.data, (int)a[1].i);
}

long op_pivot_root(struct run *run, const union arg *a) {
  return syscall(SYS_pivot_root, a[0].s.data, a[1].s.data);
}

long op_fchdir(struct run *run, const union arg *a) {
  return fchdir(a[0].fd);
}

static int open_present(int root, const char *path) {
  int fd = open_in_root(root, path, O_PATH);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return -2;
  return fd;
}

// A /dev of the container's own may have anything by that name, such as a link to what is to be covered.
static int is_null_device(int fd) {
  struct stat st;
  if (fstat(fd, &st) < 0) return 0;
  if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) return 1;
  errno = ENODEV;
  return 0;
}

long op_mask_path(struct run *run, const union arg *a) {
  int target = open_present(a[0].fd, a[1].s.data);
  if (target < 0) return target == -2 ? 0 : -1;
  struct stat st;
  if (fstat(target, &st) < 0) return close_keep(-1, target);
  int from = S_ISDIR(st.st_mode) ? a[3].fd : a[2].fd;
  if (from == a[2].fd && !is_null_device(from)) return close_keep(-1, target);
  int tree = (int)syscall(SYS_open_tree, from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return close_keep(-1, target);
  return close_keep(close_keep(attach(tree, target), tree), target);
}

long op_readonly_path(struct run *run, const union arg *a) {
  int target = open_present(a[0].fd, a[1].s.data);
  if (target < 0) return target == -2 ? 0 : -1;
  int tree = (int)syscall(SYS_open_tree, target, "",
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE_TREE);
  if (tree < 0) return close_keep(-1, target);
  long rc = setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE_TREE, (struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY});
  if (rc == 0) rc = attach(tree, target);
  return close_keep(close_keep(rc, tree), target);
}

long op_bind_tree(struct run *run, const union arg *a) {
  unsigned flags = (unsigned)a[3].i | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  int tree = (int)syscall(SYS_open_tree, a[1].fd, a[2].s.data, flags);
  if (tree < 0 || a[4].fd < 0) return tree;
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)a[4].fd};
  if (setattr(tree, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE_TREE), attr) == 0) return tree;
  if (flags & AT_RECURSIVE_TREE && setattr(tree, "", AT_EMPTY_PATH, attr) == 0) return tree; // all but some below
  if (errno == EINVAL || errno == EPERM || errno == EOPNOTSUPP) return tree;
  return close_keep(-1, tree);
}
