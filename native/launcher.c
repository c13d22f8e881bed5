#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlink.h"
#include "seal.h"
#include "shim.h"
#include "status.h"

static bool timed;
// Descriptors from here on are kept for the daemon, until it asks for others or is gone.
static unsigned first_kept;

// The processes forked for requests, so that the daemon hears of one that died without an answer.
static struct {
  struct worker {
    pid_t pid;
    uint32_t id;
  } *all;
  size_t count, room;
} workers;

static void add_worker(pid_t pid, uint32_t id) {
  if (workers.count == workers.room) {
    workers.room = workers.room ? workers.room * 2 : 64;
    workers.all = realloc(workers.all, workers.room * sizeof *workers.all);
    if (!workers.all) abort();
  }
  workers.all[workers.count++] = (struct worker){pid, id};
}

static void answer(uint32_t id, enum answer_kind kind, const uint8_t *payload, size_t size) {
  status_begin(CHANNEL, id);
  status_send(kind, payload, size);
  struct pollfd fd = {.fd = CHANNEL, .events = POLLOUT};
  while (status_pending() && poll(&fd, 1, -1) >= 0) status_retry();
}

static void reap(int signals) {
  struct signalfd_siginfo ignored[8];
  if (read(signals, ignored, sizeof ignored) < 0 && errno != EAGAIN) return;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (size_t i = 0; i < workers.count; i++) {
      if (workers.all[i].pid != pid) continue;
      uint8_t payload[4];
      put_u32(payload, (uint32_t)status);
      if (WIFSIGNALED(status)) answer(workers.all[i].id, ANSWER_GONE, payload, sizeof payload);
      workers.all[i] = workers.all[--workers.count];
      break;
    }
  }
}

static void release_kept(void) { syscall(SYS_close_range, first_kept, ~0U, 0); }

static noreturn void run_request(uint32_t id, const struct plan *plan) {
  static int slots[SLOTS];
  for (int i = 0; i < SLOTS; i++) slots[i] = -1;
  struct run run = {.plan = *plan, .slots = slots, .timed = timed};
  struct failure failure;
  status_begin(CHANNEL, id);
  if (run_phase(&run, PHASE_HOST, &failure) < 0) {
    release_kept();
    status_failed(&failure, "");
  } else {
    answer(id, ANSWER_OK, run.out, run.out_size);
  }
  _exit(0);
}

// The child shares the launcher's descriptor table.
static pid_t fork_sharing(void) { return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0); }

static void handle(uint32_t id, uint8_t kind, struct reader in) {
  struct shim_options options = {0};
  struct plan plan;
  bool runs = kind == REQUEST_RUN || kind == REQUEST_KEEP;
  bool good = kind == REQUEST_LAUNCH ? read_launch(&in, &options, &plan) : runs && read_plan(&in, &plan);
  struct failure failure = {PHASE_HOST, -1, EBADMSG};
  run_mark(&(struct run){.timed = timed}, "request");
  if (good && kind == REQUEST_KEEP) release_kept();
  pid_t pid = !good ? -1 : kind == REQUEST_KEEP ? fork_sharing() : fork();
  if (pid > 0) {
    add_worker(pid, id);
  } else if (pid < 0) {
    if (good) failure.error = errno;
    status_begin(CHANNEL, id);
    status_failed(&failure, good ? "fork" : "a malformed request");
  } else {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // What is kept is to be gone with the launcher, which other processes outlive.
    if (kind != REQUEST_KEEP) release_kept();
    if (runs) run_request(id, &plan);
    shim_main(CHANNEL, id, &options, &plan, timed);
  }
}

static bool read_exact(uint8_t *data, size_t size) {
  for (size_t at = 0; at < size;) {
    ssize_t n = read(CHANNEL, data + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += (size_t)n;
  }
  return true;
}

static int serve(void) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return 1;
  // The lowest number that was free, and the last descriptor of the launcher's own.
  first_kept = (unsigned)signals + 1;
  while (true) {
    struct pollfd fds[2] = {{.fd = CHANNEL, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return 1;
    if (fds[1].revents) reap(signals);
    if (!fds[0].revents) continue;
    uint8_t header[FRAME_HEADER];
    if (!read_exact(header, sizeof header)) return 0; // the daemon is gone; shims go on without us
    struct reader in = {header, header + sizeof header, false};
    uint32_t size = read_u32(&in), id = read_u32(&in);
    uint8_t kind = read_u8(&in);
    if (size > FRAME_MAX) return 1;
    uint8_t *payload = malloc(size + 1);
    if (!payload || !read_exact(payload, size)) return 1;
    handle(id, kind, (struct reader){payload, payload + size, false});
    free(payload);
  }
}

static void reset_process(void) {
  for (int signal = 1; signal < NSIG; signal++)
    if (signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  umask(0);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "berth-launcher");
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); // none of the daemon's keys for containers
  fcntl(CHANNEL, F_SETFD, FD_CLOEXEC);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < (timed ? 2 : 3); fd++) dup2(null, fd);
  // Best effort: needs CAP_SYS_RESOURCE. In a guest it is lower still.
  char present[8] = "";
  int score = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  bool lowest = score >= 0 && read(score, present, 5) == 5 && strncmp(present, "-1000", 5) == 0;
  if (score >= 0 && !lowest && write(score, "-999", 4) < 0) errno = 0;
  if (score >= 0) close(score);
  if (null > 2) close(null);
}

int launcher_main(char **argv, char **env, bool times) {
  timed = times;
  if (seal_self(argv, env) < 0) {
    perror("berth-launcher: making a sealed copy of the program");
    return 2;
  }
  reset_process();
  netlink_keep();
  return serve();
}
