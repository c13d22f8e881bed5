// What a shim does while its process runs, and its end.
#pragma once
#include <stdnoreturn.h>
#include <sys/types.h>

#include "wire.h"

struct watched {
  pid_t pid;
  int pidfd, dir;
  int oom; // an eventfd or memory.events, or -1
};

// Serves streams and clients until the process and its output have ended and all is told.
noreturn void watch(const struct shim_options *options, struct watched watched);

// For attached clients:
int watch_pid(void);
int watch_signal(int signal); // 0 or an errno
