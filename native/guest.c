#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mux.h"
#include "relay.h"

enum { TOKEN = 32 };

// The connection's token is in the kernel's arguments: berth.token=…
static const char *read_token(void) {
  static char arguments[4096];
  int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, arguments, sizeof arguments - 1) < 0) boot_failed("/proc/cmdline");
  close(fd);
  char *token = strstr(arguments, "berth.token=");
  if (!token || strcspn(token + strlen("berth.token="), " \n") != TOKEN) {
    errno = EINVAL;
    boot_failed("berth.token among the kernel's arguments");
  }
  return token + strlen("berth.token=");
}

static void tell_of_changes(int fd) {
  fcntl(fd, F_SETOWN, getpid());
  fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC); // SIGIO when the host connects
}

void guest_main(char **argv, char **env) {
  boot_drivers(argv, env);
  bool beside = system_beside();
  boot_root();
  if (beside) system_await_init();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGIO);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  int events = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (events < 0) boot_failed("signalfd");
  signal(SIGPIPE, SIG_IGN);
  int control = boot_port("berth.control");
  tell_of_changes(control);
  mux_begin(control, read_token());
  mux_host_may_be_back();
  // A system's console is its own.
  relay_begin(beside ? -1 : boot_port("berth.stdio"));
  while (1) {
    struct pollfd fds[MUX_STREAMS + 8];
    fds[0] = (struct pollfd){.fd = events, .events = POLLIN};
    size_t relayed = 1 + relay_poll(fds + 1), n = relayed + mux_poll(fds + relayed);
    if (poll(fds, n, -1) < 0 && errno != EINTR) boot_failed("poll");
    struct signalfd_siginfo info[8];
    if (fds[0].revents && read(events, info, sizeof info) > 0) {
      mux_host_may_be_back();
      while (waitpid(-1, NULL, WNOHANG) > 0) continue;
      // What poll found is older than the signal, which does not come again: the port may not be hung up any more.
      continue;
    }
    relay_handle(fds + 1);
    mux_handle(fds + relayed, n - relayed);
  }
}
