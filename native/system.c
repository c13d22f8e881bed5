// A machine with a system of its own: a plan in the initial ram disk leads the first process to that system's
// init, while a second process stays to serve the daemon.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "ops.h"

#define PLAN "/system"
enum { PLAN_MAX = 1 << 20 };

static struct plan read_system_plan(int fd) {
  struct stat stat;
  struct plan plan;
  uint8_t *data = malloc(PLAN_MAX);
  if (!data || fstat(fd, &stat) < 0 || stat.st_size > PLAN_MAX) boot_failed(PLAN);
  ssize_t size = read(fd, data, PLAN_MAX);
  struct reader in = {data, data + (size > 0 ? size : 0), false};
  if (size <= 0 || !read_plan(&in, &plan)) {
    errno = EBADMSG;
    boot_failed(PLAN);
  }
  close(fd);
  unlink(PLAN);
  return plan;
}

static noreturn void enter_system(const struct plan *plan) {
  static int slots[SLOTS];
  for (int i = 0; i < SLOTS; i++) slots[i] = -1;
  struct run run = {.plan = *plan, .slots = slots};
  struct failure failure = {PHASE_HOST, 0, ENOEXEC};
  run_phase(&run, PHASE_HOST, &failure); // its last step does not return
  char step[64];
  snprintf(step, sizeof step, "step %d on the way to the system", failure.step);
  errno = failure.error;
  boot_failed(step);
}

static int entered[2] = {-1, -1}; // its writing end goes with the exec of the system's init

static void await_end(int pipe) {
  char none;
  while (read(pipe, &none, 1) < 0 && errno == EINTR) continue;
  close(pipe);
}

bool system_beside(void) {
  int fd = open(PLAN, O_RDONLY | O_CLOEXEC), apart[2];
  if (fd < 0) return false;
  system_is_own = true;
  struct plan plan = read_system_plan(fd);
  if (pipe2(entered, O_CLOEXEC) < 0 || pipe2(apart, O_CLOEXEC) < 0) boot_failed("pipe");
  pid_t pid = fork();
  if (pid < 0) boot_failed("fork");
  if (pid > 0) {
    close(apart[1]);
    await_end(apart[0]); // what is moved from here on stays where it was for the other
    enter_system(&plan);
  }
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) boot_failed("unshare");
  close(apart[0]);
  close(apart[1]);
  close(entered[1]);
  prctl(PR_SET_NAME, "berth-agent");
  return true;
}

void system_await_init(void) { await_end(entered[0]); }
