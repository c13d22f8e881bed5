// Lookups that cannot leave a root.
#pragma once

// Opens a path below the directory `root` as if that were "/" (openat2 RESOLVE_IN_ROOT), close-on-exec.
int open_in_root(int root, const char *path, int flags);
// 0 when fd is the root of a procfs, otherwise -1 and EXDEV.
int check_procfs(int fd);
