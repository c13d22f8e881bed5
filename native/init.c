#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seal.h"

int exec_builtin_init(char **argv, char **env) {
  size_t n = 0;
  while (argv[n]) n++;
  char **wrapped = calloc(n + 3, sizeof *wrapped);
  if (!wrapped) return -1;
  wrapped[0] = (char[]){INIT_NAME};
  wrapped[1] = (char[]){"--"};
  memcpy(wrapped + 2, argv, n * sizeof *argv);
  return (int)syscall(SYS_execveat, sealed_self(), "", wrapped, env, AT_EMPTY_PATH);
}

static int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

int init_main(char **argv, char **env) {
  prctl(PR_SET_NAME, "docker-init");
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    if (isatty(0)) tcsetpgrp(0, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    exec_search(argv, env);
    int code = errno == ENOENT ? 127 : 126;
    dprintf(2, "[FATAL init] exec %s failed: %s\n", argv[0], strerror(errno));
    _exit(code);
  }
  while (1) {
    int signal = 0;
    sigwait(&all, &signal);
    if (signal != SIGCHLD) {
      kill(child, signal);
      continue;
    }
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == child) return exit_code(status);
  }
}
