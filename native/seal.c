#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int self = -1;

int sealed_self(void) { return self; }

int sealed_move(int above) {
  int moved = fcntl(self, F_DUPFD_CLOEXEC, above);
  if (moved >= 0) self = moved;
  return moved;
}

int seal_self(char **argv, char **env) {
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (exe < 0) return -1;
  int has = fcntl(exe, F_GET_SEALS);
  if (has >= 0 && (has & seals) == seals) {
    self = exe;
    return 0;
  }
  struct stat st;
  int copy = memfd_create("berth-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0 || fstat(exe, &st) < 0) return -1;
  for (off_t at = 0; at < st.st_size;)
    if (sendfile(copy, exe, &at, (size_t)(st.st_size - at)) <= 0) return -1;
  if (fcntl(copy, F_ADD_SEALS, seals) < 0) return -1;
  close(exe);
  syscall(SYS_execveat, copy, "", argv, env, AT_EMPTY_PATH);
  return -1;
}
