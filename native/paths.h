// Lookups that cannot leave a root.
#pragma once
#include <errno.h>
#include <unistd.h>

// Closes without touching the errno that goes with `result`.
static inline long close_keep(long result, int fd) {
  int saved = errno;
  close(fd);
  errno = saved;
  return result;
}

// Opens a path below the directory `root` as if that were "/" (openat2 RESOLVE_IN_ROOT), close-on-exec.
int open_in_root(int root, const char *path, int flags);
// 0 when fd is the root of a procfs, otherwise -1 and EXDEV.
int check_procfs(int fd);
