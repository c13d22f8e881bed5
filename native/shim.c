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
#include "streams.h"
#include "watch.h"

// What shim and child both see.
struct shared {
  int slots[SLOTS];
  struct failure failure;
  pid_t next_pid;
  int next_pidfd;
  uint32_t next_size; // of the part of the plan that follows, in `next`
};

static struct {
  struct shim_options options;
  struct run run;
  struct shared *shared;
  int dir, listener;
  int sync[2];            // child to shim; closed by a successful exec
  int release, self;      // shim to child
  int next_part;          // shim to child: the part of the plan that follows is there
  int control;            // from where it comes
  uint8_t *next;          // shared with the child
  bool last, whole;       // the last part was sent; the process has it
  int pidfd;
  pid_t pid;
  uint64_t start; // of the process, as start_time says
} S = {.dir = -1, .listener = -1, .control = -1};

// What is said of a launch that was begun and does not go on.
static const struct failure given_up = {PHASE_HOST, -1, ECANCELED};

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
    rmdir(S.options.dir.data);
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
  const char *path = S.options.dir.data;
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

int shim_own_descriptors(void) {
  if (unshare(CLONE_FILES) < 0) return -1;
  return write(S.sync[1], "U", 1) == 1 ? 0 : -1;
}

void shim_hand_over(pid_t pid, int pidfd) {
  S.shared->next_pid = pid;
  S.shared->next_pidfd = pidfd;
  if (write(S.sync[1], "P", 1) != 1) _exit(1);
}

static void await_event(int event) {
  struct pollfd fds[2] = {{.fd = event, .events = POLLIN}, {.fd = S.self, .events = POLLIN}};
  while (event >= 0 && poll(fds, 2, -1) < 0 && errno == EINTR) continue;
  if (fds[1].revents) _exit(1); // the shim is gone
}

int shim_await_parent(bool handed_over) {
  if (write(S.sync[1], handed_over ? "w" : "W", 1) != 1) return -1;
  await_event(S.release);
  return 0;
}

static noreturn void child_main(void) {
  S.run.pid = 0;
  if (!(S.options.flags & SHIM_LATE_PARENT)) await_event(S.release);
  run_mark(&S.run, "child phase");
  signal(SIGPIPE, SIG_DFL);
  // A plan that ends without exec is the beginning of one.
  while (run_phase(&S.run, PHASE_CHILD, &S.shared->failure) == 0 && S.options.flags & SHIM_HELD) {
    if (write(S.sync[1], "H", 1) != 1) _exit(1);
    await_event(S.next_part);
    uint64_t parts;
    struct reader in = {S.next, S.next, false};
    if (read(S.next_part, &parts, sizeof parts) < 0) _exit(1);
    in.end += S.shared->next_size;
    // A filter may have killed it while it waited: only now the shim knows that it goes on.
    if (!read_plan(&in, &S.run.plan) || write(S.sync[1], "G", 1) != 1) _exit(1);
  }
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

static void run_parent_phase(void) {
  if (S.release < 0) return;
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", S.pid);
  S.shared->slots[0] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct failure failure;
  if (run_phase(&S.run, PHASE_PARENT, &failure) < 0) fail(&failure, "");
  uint64_t one = 1;
  run_mark(&S.run, "parent phase ends");
  if (write(S.release, &one, sizeof one) < 0) fail_setup("eventfd");
}

static void start_child(void) {
  grow_descriptors();
  bool waits = S.run.plan.phases[PHASE_PARENT].count > 0;
  S.release = waits ? eventfd(0, EFD_CLOEXEC) : -1;
  S.self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (pipe2(S.sync, O_CLOEXEC) < 0 || S.self < 0 || (waits && S.release < 0)) fail_setup("pipe");
  if (S.options.flags & SHIM_HELD) {
    S.next_part = eventfd(0, EFD_CLOEXEC);
    S.next = mmap(NULL, FRAME_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (S.next_part < 0 || S.next == MAP_FAILED) fail_setup("the plan's further parts");
  }
  int pidfd = -1;
  struct clone_args args = {
      .flags = S.options.clone_flags | CLONE_FILES | CLONE_PIDFD,
      .pidfd = (uint64_t)(uintptr_t)&pidfd,
      .exit_signal = SIGCHLD,
  };
  if (S.options.cgroup_slot != SLOT_NONE) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)S.shared->slots[S.options.cgroup_slot];
  }
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) child_main();
  run_mark(&S.run, "clone3 returned");
  if (pid < 0) fail_setup("clone3");
  S.pid = S.run.pid = (pid_t)pid;
  S.pidfd = pidfd;
  // What is only begun is nobody's container yet.
  if (!(S.options.flags & SHIM_HELD)) write_pid();
  if (!(S.options.flags & SHIM_LATE_PARENT)) run_parent_phase();
}

// The child has its own descriptors now: what it alone uses is closed here.
static void leave_child(void) {
  const struct shim_options *o = &S.options;
  int master = -1;
  for (int i = 0; i < SLOTS; i++) {
    if (S.shared->slots[i] < 0 || i == o->oom_slot || i == o->hold_slot) continue;
    if (i == o->console_slot) master = S.shared->slots[i];
    else close(S.shared->slots[i]);
  }
  streams_leave_child(master);
  close_fd(&S.sync[1]);
  close_fd(&S.release);
  close_fd(&S.self);
}

// Reads what the daemon sends next; without it, or without the process, all is undone.
static void read_control(uint8_t *to, size_t size) {
  for (size_t at = 0; at < size;) {
    struct pollfd fds[3] = {
        {.fd = S.control < 0 ? S.listener : S.control, .events = POLLIN},
        {.fd = status_channel()},
        {.fd = S.pidfd, .events = POLLIN},
    };
    if (poll(fds, 3, -1) < 0) continue;
    if (status_channel() < 0 || fds[1].revents || fds[2].revents) fail(&given_up, "given up");
    if (S.control < 0) {
      S.control = accept4(S.listener, NULL, NULL, SOCK_CLOEXEC);
      continue;
    }
    ssize_t n = read(S.control, to + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(&given_up, "given up");
    at += (size_t)n;
  }
}

// The process has done the plan so far and waits. A part is u32 size, u8 whether it is the last, u8 how many
// clients to wait for, a plan.
static void run_next_part(void) {
  uint8_t header[6];
  status_send(ANSWER_HELD, NULL, 0);
  read_control(header, sizeof header);
  struct reader in = {header, header + sizeof header, false};
  uint32_t size = read_u32(&in);
  bool last = read_u8(&in) != 0;
  S.options.wait_for_attach = read_u8(&in);
  if (size > FRAME_MAX) fail(&(struct failure){PHASE_HOST, -1, EBADMSG}, "the plan's next part");
  read_control(S.next, size);
  run_mark(&S.run, "next part");
  in = (struct reader){S.next, S.next + size, false};
  if (!read_plan(&in, &S.run.plan)) fail(&(struct failure){PHASE_HOST, -1, EBADMSG}, "the plan's next part");
  struct failure failure;
  S.run.pid = 0;
  if (run_phase(&S.run, PHASE_HOST, &failure) < 0) fail(&failure, "");
  S.run.pid = S.pid;
  if (run_phase(&S.run, PHASE_PARENT, &failure) < 0) fail(&failure, "");
  if (last) {
    S.last = true;
    close_fd(&S.control);
    if (log_open(&S.options) < 0) fail_setup("open of the log file");
    write_pid();
  }
  S.shared->next_size = size;
  uint64_t one = 1;
  if (write(S.next_part, &one, sizeof one) < 0) fail_setup("eventfd");
}

static void await_exec(void) {
  bool left = false, handed_over = false;
  char asked = 0;
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
        handed_over = true;
        S.pid = S.run.pid = S.shared->next_pid;
        S.pidfd = S.shared->next_pidfd;
        write_pid();
      } else if (message == 'H') {
        run_next_part();
      } else if (message == 'G') {
        S.whole = S.last;
      } else {
        asked = message;
      }
      // The new process may ask before the old one has told of it.
      if (asked == 'W' || (asked == 'w' && handed_over)) {
        asked = 0;
        run_parent_phase();
      }
    } else if (fds[1].revents && !left && poll(fds, 1, 0) == 0) {
      break;
    }
  }
  if (S.shared->failure.error) fail(&S.shared->failure, "");
  if (!S.whole) fail(&given_up, "given up");
  if (!left) fail(&(struct failure){PHASE_CHILD, S.shared->failure.step, ECHILD}, "the process died before exec");
  close_fd(&S.sync[0]);
  if (S.options.flags & SHIM_HELD) {
    close_fd(&S.next_part);
    munmap(S.next, FRAME_MAX);
  }
}

void shim_main(int channel, uint32_t id, const struct shim_options *options, const struct plan *plan, bool timed) {
  S.options = *options;
  S.whole = !(options->flags & SHIM_HELD);
  status_begin(channel, id);
  setsid();
  prctl(PR_SET_NAME, "berth-shim");
  S.shared = mmap(NULL, sizeof *S.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (S.shared == MAP_FAILED) fail_setup("mmap");
  for (int i = 0; i < SLOTS; i++) S.shared->slots[i] = -1;
  S.run = (struct run){.plan = *plan, .slots = S.shared->slots, .timed = timed};
  run_mark(&S.run, "shim");
  make_directory();
  if (!(S.options.flags & SHIM_HELD) && log_open(&S.options) < 0) fail_setup("open of the log file");
  if (streams_make(&S.options) < 0) fail_setup("the standard streams");
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
  int oom = options->oom_slot == SLOT_NONE ? -1 : S.shared->slots[options->oom_slot];
  watch(&S.options, (struct watched){S.pid, S.pidfd, S.dir, oom});
}
