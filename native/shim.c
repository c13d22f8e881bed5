#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "log.h"
#include "status.h"

enum {
  ATTACH_WAIT_MS = 10000, // for the clients announced at start
  DRAIN_MS = 250,         // for output that others than the process still hold open after its end
  READ_SIZE = 32 << 10,
  FRAMES_MAX = CLIENTS_MAX + 16,
};

// What shim and child both see.
struct shared {
  int slots[SLOTS];
  struct failure failure;
  pid_t next_pid;
  int next_pidfd;
};

static struct {
  const struct shim_options *options;
  struct run run;
  struct shared *shared;
  int dir, listener;
  int sync[2];            // child to shim; closed by a successful exec
  int release, self;      // shim to child
  int in[2], out[2], err[2];
  int master;             // of the terminal
  int pidfd;
  pid_t pid;
  uint64_t start; // of the process, as start_time says
  bool exited, reported;
  bool oom;
  int status;
} S = {.in = {-1, -1}, .out = {-1, -1}, .err = {-1, -1}, .master = -1, .dir = -1, .listener = -1};

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static noreturn void fail(const struct failure *failure, const char *text) {
  if (S.pidfd > 0) {
    siginfo_t info;
    syscall(SYS_pidfd_send_signal, S.pidfd, SIGKILL, NULL, 0);
    waitid((idtype_t)P_PIDFD, (id_t)S.pidfd, &info, WEXITED | __WALL);
  }
  if (S.dir >= 0) {
    unlinkat(S.dir, "shim.sock", 0);
    unlinkat(S.dir, "pid", 0);
    rmdir(S.options->dir.data);
  }
  status_failed(failure, text);
  for (int i = 0; i < 100 && status_pending(); i++) {
    usleep(20000);
    status_retry();
  }
  _exit(1);
}

static noreturn void fail_setup(const char *text) {
  fail(&(struct failure){PHASE_HOST, -1, errno}, text);
}

static void make_directory(void) {
  const char *path = S.options->dir.data;
  if (mkdir(path, 0700) < 0) fail_setup("mkdir of the shim's directory");
  S.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  S.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "shim.sock"};
  if (S.dir < 0 || fchdir(S.dir) < 0 || S.listener < 0) fail_setup("the shim's directory");
  mode_t before = umask(0177);
  if (bind(S.listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(S.listener, CLIENTS_MAX) < 0)
    fail_setup("the shim's socket");
  umask(before);
}

static void make_pipe(int ends[2], int ours) {
  if (pipe2(ends, O_CLOEXEC) < 0) fail_setup("pipe");
  fcntl(ends[ours], F_SETFL, O_NONBLOCK);
  // So that the process may open /dev/stdout and the like again.
  if (fchown(ends[1 - ours], S.options->owner_uid, S.options->owner_gid) < 0) fail_setup("fchown of a pipe");
}

static void make_streams(void) {
  if (S.options->flags & SHIM_TTY) return;
  if (S.options->flags & SHIM_STDIN) make_pipe(S.in, 1);
  make_pipe(S.out, 0);
  make_pipe(S.err, 0);
}

int shim_enter_stdio(int terminal) {
  if (unshare(CLONE_FILES) < 0) return -1;
  if (write(S.sync[1], "U", 1) != 1) return -1;
  if (terminal >= 0) {
    if (setsid() < 0 && errno != EPERM) return -1;
    if (ioctl(terminal, TIOCSCTTY, 0) < 0) return -1;
    for (int fd = 0; fd < 3; fd++)
      if (dup2(terminal, fd) < 0) return -1;
    return 0;
  }
  int in = S.in[0] >= 0 ? S.in[0] : open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0 || dup2(in, 0) < 0 || dup2(S.out[1], 1) < 0 || dup2(S.err[1], 2) < 0) return -1;
  return setsid() < 0 && errno != EPERM ? -1 : 0;
}

void shim_hand_over(pid_t pid, int pidfd) {
  S.shared->next_pid = pid;
  S.shared->next_pidfd = pidfd;
  if (write(S.sync[1], "P", 1) != 1) _exit(1);
}

static noreturn void child_main(void) {
  struct pollfd fds[2] = {{.fd = S.release, .events = POLLIN}, {.fd = S.self, .events = POLLIN}};
  S.run.pid = 0;
  while (S.release >= 0 && poll(fds, 2, -1) < 0 && errno == EINTR) continue;
  if (fds[1].revents) _exit(1); // the shim is gone
  run_mark(&S.run, "child phase");
  signal(SIGPIPE, SIG_DFL);
  run_phase(&S.run, PHASE_CHILD, &S.shared->failure);
  _exit(1);
}

static void write_pid(void) {
  char text[64];
  S.start = start_time(S.pid);
  snprintf(text, sizeof text, "%d %llu %d\n", S.pid, (unsigned long long)S.start, getpid());
  int out = openat(S.dir, "pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0 || write(out, text, strlen(text)) < 0) fail_setup("the pid file");
  close(out);
}

// A table that shim and child share cannot grow without waiting for all CPUs (an RCU grace period, many
// milliseconds on a busy machine), so it grows before.
static void grow_descriptors(void) {
  int high = fcntl(0, F_DUPFD_CLOEXEC, SLOTS + 50);
  if (high >= 0) close(high);
}

static void start_child(void) {
  grow_descriptors();
  bool waits = S.run.plan.phases[PHASE_PARENT].count > 0;
  S.release = waits ? eventfd(0, EFD_CLOEXEC) : -1;
  S.self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (pipe2(S.sync, O_CLOEXEC) < 0 || S.self < 0 || (waits && S.release < 0)) fail_setup("pipe");
  int pidfd = -1;
  struct clone_args args = {
      .flags = S.options->clone_flags | CLONE_FILES | CLONE_PIDFD,
      .pidfd = (uint64_t)(uintptr_t)&pidfd,
      .exit_signal = SIGCHLD,
  };
  if (S.options->cgroup_slot != SLOT_NONE) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)S.shared->slots[S.options->cgroup_slot];
  }
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) child_main();
  run_mark(&S.run, "clone3 returned");
  if (pid < 0) fail_setup("clone3");
  S.pid = S.run.pid = (pid_t)pid;
  S.pidfd = pidfd;
  write_pid();
  if (!waits) return;
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", S.pid);
  S.shared->slots[0] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct failure failure;
  if (run_phase(&S.run, PHASE_PARENT, &failure) < 0) fail(&failure, "");
  uint64_t one = 1;
  run_mark(&S.run, "parent phase ends");
  if (write(S.release, &one, sizeof one) < 0) fail_setup("eventfd");
}

// The child has its own descriptors now: what it alone uses is closed here.
static void leave_child(void) {
  const struct shim_options *o = S.options;
  for (int i = 0; i < SLOTS; i++) {
    if (S.shared->slots[i] < 0 || i == o->oom_slot || i == o->hold_slot) continue;
    if (i == o->console_slot) S.master = S.shared->slots[i];
    else close(S.shared->slots[i]);
  }
  close_fd(&S.in[0]);
  close_fd(&S.out[1]);
  close_fd(&S.err[1]);
  close_fd(&S.sync[1]);
  close_fd(&S.release);
  close_fd(&S.self);
  if (S.master >= 0) fcntl(S.master, F_SETFL, O_NONBLOCK);
}

static void await_exec(void) {
  bool left = false;
  while (true) {
    struct pollfd fds[2] = {{.fd = S.sync[0], .events = POLLIN}, {.fd = S.pidfd, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) fail_setup("poll");
    if (fds[0].revents) {
      char message = 0;
      ssize_t n = read(S.sync[0], &message, 1);
      if (n == 0) break;
      if (message == 'U') {
        leave_child();
        left = true;
      } else if (message == 'P') {
        siginfo_t info;
        waitid((idtype_t)P_PIDFD, (id_t)S.pidfd, &info, WEXITED | __WALL);
        close(S.pidfd);
        S.pid = S.shared->next_pid;
        S.pidfd = S.shared->next_pidfd;
        write_pid();
      }
    } else if (fds[1].revents && !left) {
      break;
    }
  }
  if (S.shared->failure.error) fail(&S.shared->failure, "");
  if (!left) fail(&(struct failure){PHASE_CHILD, S.shared->failure.step, ECHILD}, "the process died before exec");
  close_fd(&S.sync[0]);
}

int shim_pid(void) { return S.pid; }

void shim_close_input(void) { close_fd(&S.in[1]); }

void shim_input(const uint8_t *data, size_t size, size_t *taken, int *error) {
  int fd = S.master >= 0 ? S.master : S.in[1];
  while (*taken < size) {
    ssize_t n = fd < 0 ? (errno = EPIPE, -1) : write(fd, data + *taken, size - *taken);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      *error = errno;
      return;
    }
    *taken += (size_t)n;
  }
}

int shim_resize(unsigned rows, unsigned columns) {
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  return S.master < 0 ? ENOTTY : ioctl(S.master, TIOCSWINSZ, &size) < 0 ? errno : 0;
}

int shim_signal(int signal) {
  if (S.exited) return ESRCH;
  return syscall(SYS_pidfd_send_signal, S.pidfd, signal, NULL, 0) < 0 ? errno : 0;
}

static void read_stream(int *fd, int stream) {
  static char data[READ_SIZE];
  // A terminal or pipe that never runs dry must not starve the rest.
  for (int turn = 0; turn < 8; turn++) {
    ssize_t n = read(*fd, data, sizeof data);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { // the end; EIO from a terminal without processes
      close_fd(fd);
      log_end(stream);
      return;
    }
    log_write(stream, data, (size_t)n);
    attach_output(stream, data, (size_t)n);
    if ((size_t)n < sizeof data) return;
  }
}

static void note_oom(void) {
  int slot = S.options->oom_slot;
  int fd = slot == SLOT_NONE ? -1 : S.shared->slots[slot];
  if (fd < 0) return;
  if (S.options->flags & SHIM_OOM_EVENTFD) {
    uint64_t times;
    if (read(fd, &times, sizeof times) != sizeof times) return;
  } else {
    char text[512];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    char *kills = strstr(text, "oom_kill ");
    static unsigned long seen;
    unsigned long count = kills ? strtoul(kills + 9, NULL, 10) : 0;
    if (count <= seen) return;
    seen = count;
  }
  S.oom = true;
  status_send(ANSWER_OOM, NULL, 0);
  attach_event(OOM, NULL, 0);
}

static void note_exit(void) {
  siginfo_t info = {0};
  if (waitid((idtype_t)P_PIDFD, (id_t)S.pidfd, &info, WEXITED | __WALL) < 0) return;
  run_mark(&S.run, "exited");
  S.exited = true;
  S.status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static void report_exit(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  note_oom();
  uint32_t signal = S.status < 0 ? (uint32_t)-S.status : 0, code = signal ? 128 + signal : (uint32_t)S.status;
  char text[96];
  snprintf(text, sizeof text, "%u %u %d %lld%09ld\n", code, signal, S.oom, (long long)t.tv_sec, t.tv_nsec);
  status_write(S.dir, "exit", text);
  uint8_t payload[20], *at = put_u32(put_u32(put_u32(payload, code), signal), S.oom);
  put_u64(at, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
  status_send(ANSWER_EXITED, payload, sizeof payload);
  attach_event(EXIT, payload, sizeof payload);
  attach_finish();
  S.reported = true;
}

static noreturn void watch(void) {
  const int64_t begin = now_ms();
  int64_t exit_at = 0;
  bool waiting = S.options->wait_for_attach > 0;
  int *first = S.options->flags & SHIM_TTY ? &S.master : &S.out[0];
  while (true) {
    int64_t now = now_ms();
    if (waiting && (attach_count() >= S.options->wait_for_attach || now - begin >= ATTACH_WAIT_MS)) waiting = false;
    attach_drop_stalled();
    bool open = *first >= 0 || S.err[0] >= 0;
    bool reads = !waiting && !attach_full();
    if (S.exited && !S.reported && (!open || (reads && now - exit_at >= DRAIN_MS))) report_exit();
    if (S.reported && !open && attach_idle() && !status_pending()) _exit(0);

    struct pollfd fds[FRAMES_MAX];
    size_t n = 0, clients;
    fds[n++] = (struct pollfd){.fd = S.exited ? -1 : S.pidfd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = reads ? *first : -1, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = reads ? S.err[0] : -1, .events = POLLIN};
    int input = S.master >= 0 ? S.master : S.in[1];
    bool blocked = attach_input_waits();
    fds[n++] = (struct pollfd){.fd = blocked ? input : -1, .events = POLLOUT};
    int oom = S.options->oom_slot == SLOT_NONE ? -1 : S.shared->slots[S.options->oom_slot];
    short oom_events = S.options->flags & SHIM_OOM_EVENTFD ? POLLIN : POLLPRI;
    fds[n++] = (struct pollfd){.fd = S.reported ? -1 : oom, .events = oom_events};
    // While it waits, the channel's end tells that those it waits for are gone with the daemon.
    bool listens = waiting || status_pending();
    fds[n++] = (struct pollfd){.fd = listens ? status_channel() : -1, .events = status_pending() ? POLLOUT : 0};
    clients = attach_poll(fds + n);
    int timeout = waiting ? (int)(begin + ATTACH_WAIT_MS - now) : S.exited && !S.reported ? DRAIN_MS : -1;
    if (!attach_idle()) timeout = 1000;
    if (poll(fds, n + clients, timeout) < 0) continue;

    if (fds[4].revents) note_oom();
    if (fds[1].revents) read_stream(first, 1);
    if (fds[2].revents) read_stream(&S.err[0], 2);
    if (fds[3].revents || (blocked && input < 0)) attach_input_ready();
    if (fds[5].revents & (POLLHUP | POLLERR)) waiting = false;
    if (fds[5].revents) status_retry();
    if (fds[0].revents) {
      note_exit();
      exit_at = now_ms();
    }
    attach_handle(fds + n, clients);
  }
}

void shim_main(int channel, uint32_t id, const struct shim_options *options, const struct plan *plan, bool timed) {
  S.options = options;
  status_begin(channel, id);
  setsid();
  prctl(PR_SET_NAME, "berth-shim");
  S.shared = mmap(NULL, sizeof *S.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (S.shared == MAP_FAILED) fail_setup("mmap");
  for (int i = 0; i < SLOTS; i++) S.shared->slots[i] = -1;
  S.run = (struct run){.plan = *plan, .slots = S.shared->slots, .timed = timed};
  run_mark(&S.run, "shim");
  make_directory();
  if (log_open(options) < 0) fail_setup("open of the log file");
  make_streams();
  run_mark(&S.run, "host phase");
  if (run_phase(&S.run, PHASE_HOST, &S.shared->failure) < 0) fail(&S.shared->failure, "");
  run_mark(&S.run, "clone3");
  start_child();
  signal(SIGPIPE, SIG_IGN);
  attach_begin(S.listener, options->stall_seconds, options->flags & SHIM_STDIN_ONCE);
  await_exec();
  run_mark(&S.run, "exec done");
  uint8_t payload[16];
  put_u64(put_u32(put_u32(payload, (uint32_t)S.pid), (uint32_t)getpid()), S.start);
  status_send(ANSWER_STARTED, payload, sizeof payload);
  watch();
}
