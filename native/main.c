// berth-launcher: makes the system calls that Node cannot; by its name also the other programs that run
// from its sealed copy.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "init.h"
#include "launcher.h"
#include "ops.h"
#include "seal.h"
#include "vmm.h"

int main(int argc, char **argv, char **env) {
  if (strcmp(argv[0], INIT_NAME) == 0 && argc > 2) return init_main(argv + 2, env);
  if (strcmp(argv[0], VMM_NAME) == 0) return vmm_main(argv + 1);
  if (strcmp(argv[0], GUEST_NAME) == 0 && getpid() == 1) guest_main(argv, env);
  if (argc > 1 && strcmp(argv[1], "--ops") == 0) {
    for (unsigned i = 0; i < op_count; i++) printf("%s %s\n", op_table[i].name, op_table[i].signature);
    return 0;
  }
  if (fcntl(CHANNEL, F_GETFD) < 0) {
    fprintf(stderr, "berth-launcher is started by the berth daemon, with a socket as descriptor 3\n");
    return 2;
  }
  syscall(SYS_close_range, CHANNEL + 1, ~0U, 0); // what the daemon did not mean to hand on
  return launcher_main(argv, env, argc > 1 && strcmp(argv[1], "--time") == 0);
}
