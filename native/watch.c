#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "status.h"
#include "streams.h"

enum {
  ATTACH_WAIT_MS = 30000, // for the clients announced at start
  DRAIN_MS = 250,         // without output, when others than the process still hold it open after its end
  PIPE_MOST = 1 << 20,    // bytes that the process may have left in its pipes (fs.pipe-max-size)
  FRAMES_MAX = CLIENTS_MAX + 16,
};

static const struct shim_options *options;
static struct watched process;
static bool exited, reported, oom_seen;
static int status; // exit code, or minus the signal

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

int watch_pid(void) { return process.pid; }

int watch_signal(int signal) {
  if (exited) return ESRCH;
  return syscall(SYS_pidfd_send_signal, process.pidfd, signal, NULL, 0) < 0 ? errno : 0;
}

static void note_oom(void) {
  if (process.oom < 0) return;
  if (options->flags & SHIM_OOM_EVENTFD) {
    uint64_t times;
    if (read(process.oom, &times, sizeof times) != sizeof times) return;
  } else {
    char text[512];
    ssize_t n = pread(process.oom, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    char *kills = strstr(text, "oom_kill ");
    static unsigned long seen;
    unsigned long count = kills ? strtoul(kills + 9, NULL, 10) : 0;
    if (count <= seen) return;
    seen = count;
  }
  oom_seen = true;
  status_send(ANSWER_OOM, NULL, 0);
  attach_event(OOM, NULL, 0);
}

static void note_exit(void) {
  siginfo_t info = {0};
  if (waitid((idtype_t)P_PIDFD, (id_t)process.pidfd, &info, WEXITED | __WALL) < 0) return;
  exited = true;
  streams_leave_to_end();
  status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static void report_exit(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  note_oom();
  uint32_t signal = status < 0 ? (uint32_t)-status : 0, code = signal ? 128 + signal : (uint32_t)status;
  char text[96];
  snprintf(text, sizeof text, "%u %u %d %lld%09ld\n", code, signal, oom_seen, (long long)t.tv_sec, t.tv_nsec);
  status_write(process.dir, "exit", text);
  uint8_t payload[20], *at = put_u32(put_u32(put_u32(payload, code), signal), oom_seen);
  put_u64(at, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
  status_send(ANSWER_EXITED, payload, sizeof payload);
  attach_event(EXIT, payload, sizeof payload);
  attach_finish();
  reported = true;
}

void watch(const struct shim_options *shim_options, struct watched watched) {
  options = shim_options;
  process = watched;
  const int64_t begin = now_ms();
  // When there was last output or no look at it, whether the last look found none, how much came since the exit.
  int64_t quiet_since = begin;
  bool quiet = false;
  size_t late = 0;
  bool waiting = options->wait_for_attach > 0;
  while (true) {
    int64_t now = now_ms();
    // Without its channel the daemon is gone, and those it waits for with it.
    bool comes = status_channel() >= 0 && now - begin < ATTACH_WAIT_MS;
    if (waiting && (!comes || attach_count() >= options->wait_for_attach)) waiting = false;
    attach_drop_stalled();
    bool open = streams_fd(1) >= 0 || streams_fd(2) >= 0;
    bool reads = !waiting && !attach_full();
    bool drained = reads && ((quiet && now - quiet_since >= DRAIN_MS) || late > PIPE_MOST);
    if (exited && !reported && (!open || drained)) report_exit();
    if (reported && !open && attach_idle() && !status_pending()) _exit(0);

    struct pollfd fds[FRAMES_MAX];
    size_t n = 0, clients;
    fds[n++] = (struct pollfd){.fd = exited ? -1 : process.pidfd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = reads ? streams_fd(1) : -1, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = reads ? streams_fd(2) : -1, .events = POLLIN};
    int input = streams_input_fd();
    bool blocked = attach_input_waits();
    fds[n++] = (struct pollfd){.fd = blocked ? input : -1, .events = POLLOUT};
    short oom_events = options->flags & SHIM_OOM_EVENTFD ? POLLIN : POLLPRI;
    fds[n++] = (struct pollfd){.fd = reported ? -1 : process.oom, .events = oom_events};
    // While it waits, the channel's end tells that those it waits for are gone with the daemon.
    bool listens = waiting || status_pending();
    fds[n++] = (struct pollfd){.fd = listens ? status_channel() : -1, .events = status_pending() ? POLLOUT : 0};
    clients = attach_poll(fds + n);
    int timeout = waiting ? (int)(begin + ATTACH_WAIT_MS - now) : exited && !reported ? DRAIN_MS : -1;
    if (!attach_idle()) timeout = 1000;
    if (poll(fds, n + clients, timeout) < 0) continue;

    if (fds[4].revents) note_oom();
    quiet = reads && !fds[1].revents && !fds[2].revents;
    if (!quiet) quiet_since = now_ms();
    size_t came = (fds[1].revents ? streams_read(1) : 0) + (fds[2].revents ? streams_read(2) : 0);
    if (exited) late += came;
    if (fds[3].revents || (blocked && input < 0)) attach_input_ready();
    if (fds[5].revents & (POLLHUP | POLLERR)) waiting = false;
    if (fds[5].revents) status_retry();
    if (fds[0].revents) {
      note_exit();
      quiet = false;
      quiet_since = now_ms();
    }
    attach_handle(fds + n, clients);
  }
}

