#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach.h"
#include "wire.h"

enum {
  LOG_FD = 3,       // takes what the programs said when they did not end in order
  MEMORY_FD = 59,   // the guest's memory, when it was saved
  STREAMS_FD = 60,  // QEMU's end of the port of the standard streams
  FILES_FD = 61,    // virtiofsd's listening socket
  SAID_MAX = 8 << 10,
  FRAME_HEAD = 5,
  PIECE = 32 << 10,
  LAST_FRAME = 0xff, // the guest has told all
  END_WAIT_MS = 10000,
  BROKEN = 255,
  SETTLE_US = 200000, // the end of one program ends the other
};

#define FILES_SOCKET "/run/virtiofs.sock"

static pid_t files, machine;
static int port = -1, messages[2];
static int exit_code = -1; // of the guest's first process

// --- what goes wrong -------------------------------------------------------------------------------

// The last that the programs said, and the guest on its console, without end maybe.
static char said[SAID_MAX];
static size_t said_size;

static void read_messages(void) {
  ssize_t n = read(messages[0], said + said_size, SAID_MAX - said_size);
  if (n > 0) said_size += (size_t)n;
  if (said_size < SAID_MAX) return;
  said_size = SAID_MAX / 2;
  memmove(said, said + SAID_MAX / 2, said_size);
}

// Leaves what was said and why it ended to the daemon.
static noreturn void end(int code, const char *format, ...) {
  read_messages();
  char reason[256];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(reason, sizeof reason, format, list);
  va_end(list);
  ssize_t written = write(LOG_FD, said, said_size);
  if (n > 0) written += write(LOG_FD, reason, (size_t)n);
  _exit(written < 0 ? BROKEN : code); // its PID namespace ends with it
}

// --- the two programs ------------------------------------------------------------------------------

// A copy of saved memory: the programs write to it. Made here so that the machine's control group is charged for it.
static int copy_memory(int saved) {
  struct stat status;
  int copy = memfd_create("guest", 0);
  if (copy < 0 || fstat(saved, &status) < 0 || ftruncate(copy, status.st_size) < 0) return -1;
  for (off_t at = 0, end; (at = lseek(saved, at, SEEK_DATA)) >= 0; at = end) {
    end = lseek(saved, at, SEEK_HOLE);
    if (end < 0 || lseek(copy, at, SEEK_SET) < 0) return -1;
    for (off_t from = at; from < end;)
      if (sendfile(copy, saved, &from, (size_t)(end - from)) <= 0) return -1;
  }
  close(saved);
  return errno == ENXIO ? dup2(copy, MEMORY_FD) : -1;
}

// `memory`: the saved one to begin with, or -1.
static pid_t start(char **argv, int keep_from, int keep_to, uid_t user, int memory) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(null, 0) < 0 || dup2(messages[1], 1) < 0 || dup2(messages[1], 2) < 0) _exit(BROKEN);
  if (memory >= 0 && copy_memory(memory) < 0) {
    fprintf(stderr, "the saved memory: %s\n", strerror(errno));
    _exit(BROKEN);
  }
  for (int fd = 3; fd < 64; fd++)
    if (fd < keep_from || fd > keep_to) close(fd);
  if (user && (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
    _exit(BROKEN);
  execv(argv[0], argv);
  fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
  _exit(BROKEN);
}

static int listen_for_files(uid_t user) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = FILES_SOCKET};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
  if (chown(FILES_SOCKET, user, user) < 0 || listen(fd, 1) < 0) return -1;
  return dup2(fd, FILES_FD);
}

static void start_programs(char **argv) {
  uid_t user = (uid_t)strtoul(argv[0], NULL, 10);
  int memory = argv[1] && strcmp(argv[1], "-") != 0 ? atoi(argv[1]) : -1;
  char **file_server = argv + 2, **emulator = file_server;
  while (user && argv[1] && *emulator && strcmp(*emulator, "--") != 0) emulator++;
  if (!user || !argv[1] || !*emulator) end(BROKEN, "bad arguments\n");
  *emulator++ = NULL;
  int ends[2];
  if (pipe2(messages, O_CLOEXEC) < 0 || fcntl(messages[0], F_SETFL, O_NONBLOCK) < 0) end(BROKEN, "pipe\n");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 || dup2(ends[1], STREAMS_FD) < 0) end(BROKEN, "socketpair\n");
  if (listen_for_files(user) < 0) end(BROKEN, "%s: %s\n", FILES_SOCKET, strerror(errno));
  // Theirs are above 3, where our own files end, and below 60.
  files = start(file_server, FILES_FD, FILES_FD, 0, -1);
  machine = start(emulator, LOG_FD + 1, STREAMS_FD, user, memory);
  if (files < 0 || machine < 0) end(BROKEN, "fork: %s\n", strerror(errno));
  for (int fd = LOG_FD + 1; fd < 64; fd++)
    if (fd != ends[0] && fd != messages[0] && fd != messages[1]) close(fd);
  port = ends[0];
  fcntl(port, F_SETFL, O_NONBLOCK);
}

static noreturn void end_by(const char *name, int status) {
  if (exit_code >= 0) _exit(exit_code);
  if (WIFSIGNALED(status)) end(128 + WTERMSIG(status), "\n%s was killed by signal %d\n", name, WTERMSIG(status));
  if (status == 0 && machine == 0) end(BROKEN, "\nthe guest stopped or crashed\n");
  end(BROKEN, "\n%s ended with status %d\n", name, WEXITSTATUS(status));
}

static void reap(void) {
  int status, of_machine;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    bool is_machine = pid == machine;
    if (!is_machine && pid != files) continue;
    if (!is_machine) { // most likely because of QEMU's end, which then is the reason
      usleep(SETTLE_US);
      if (waitpid(machine, &of_machine, WNOHANG) == machine) is_machine = true, status = of_machine;
    }
    if (is_machine) machine = 0;
    end_by(is_machine ? "QEMU" : "virtiofsd", status);
  }
}

// --- the guest's streams: the frames of a shim's client, see attach.h ------------------------------

static uint8_t to_guest[FRAME_HEAD + PIECE];
static size_t sent, to_send;
static bool waits;             // for the guest to take the input
static int input = 0;          // -1 when it has ended
static uint8_t head[FRAME_HEAD], payload[64], output; // of the frame that is coming
static size_t head_size, taken;
static uint32_t left;

static void put_frame(uint8_t kind, size_t size) {
  put_u32(to_guest, (uint32_t)size);
  to_guest[4] = kind;
  to_send = FRAME_HEAD + size;
  sent = 0;
}

static void write_all(int fd, const uint8_t *data, size_t size) {
  while (size) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return; // nobody reads any more
    data += n;
    size -= (size_t)n;
  }
}

static void end_frame(uint8_t kind) {
  struct reader in = {payload, payload + sizeof payload, false};
  uint32_t number = read_u32(&in);
  if (kind == LAST_FRAME) {
    if (exit_code < 0) end(BROKEN, "\nthe shim of the guest's process died\n");
    _exit(exit_code);
  }
  if (kind == EXIT) {
    exit_code = (int)(number & 0xff);
    alarm(END_WAIT_MS / 1000);
  } else if (kind == ACK) {
    if (waits && number != 0 && input >= 0) { // nobody reads it inside
      close(input);
      input = -1;
    }
    waits = false;
  }
}

static void begin_frame(void) {
  struct reader in = {head, head + FRAME_HEAD, false};
  left = read_u32(&in);
  taken = 0;
  if (left > (head[4] == OUTPUT ? 2u * INPUT_MAX : sizeof payload))
    end(BROKEN, "\nthe guest broke the protocol of its streams\n");
}

static void take_payload(const uint8_t *data, size_t size) {
  if (!size) return;
  if (head[4] != OUTPUT) {
    memcpy(payload + taken, data, size);
  } else {
    size_t at = taken ? 0 : 1; // its first byte says which stream it is
    if (at) output = data[0] == 2 ? 2 : 1;
    write_all(output, data + at, size - at);
  }
  taken += size;
  left -= (uint32_t)size;
}

// Takes a piece of the guest's frames. All of it is the guest's word: sizes are bounded, nothing is kept.
static void take(const uint8_t *data, size_t size) {
  while (size) {
    if (head_size < FRAME_HEAD) {
      head[head_size++] = *data++;
      size--;
      if (head_size < FRAME_HEAD) continue;
      begin_frame();
    }
    size_t n = left < size ? left : size;
    take_payload(data, n);
    data += n;
    size -= n;
    if (left) continue;
    head_size = 0;
    end_frame(head[4]);
  }
}

static void read_port(void) {
  static uint8_t data[PIECE];
  ssize_t n = read(port, data, sizeof data);
  if (n > 0) take(data, (size_t)n);
  if (n == 0) port = -1; // QEMU has ended, which is told by its status
}

static void read_input(void) {
  ssize_t n = read(input, to_guest + FRAME_HEAD, PIECE);
  if (n < 0) return;
  if (n == 0) {
    close(input);
    input = -1;
  }
  put_frame(n ? INPUT : CLOSE_INPUT, (size_t)n);
  waits = true;
}

static void write_port(void) {
  ssize_t n = write(port, to_guest + sent, to_send - sent);
  if (n > 0) sent += (size_t)n;
  if (sent == to_send) sent = to_send = 0;
}

static void told_all(int signal) { _exit(exit_code); }

int vmm_main(char **argv) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, told_all);
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  start_programs(argv);
  int signals = signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
  to_guest[FRAME_HEAD] = ATTACH_STDIN | ATTACH_STDOUT | ATTACH_STDERR;
  put_frame(ATTACH, 1);
  while (1) {
    short port_events = (short)(POLLIN | (to_send ? POLLOUT : 0));
    struct pollfd fds[] = {
        {.fd = port, .events = port_events},
        {.fd = to_send || waits ? -1 : input, .events = POLLIN},
        {.fd = signals, .events = POLLIN},
        {.fd = messages[0], .events = POLLIN},
    };
    if (poll(fds, 4, -1) < 0 && errno != EINTR) end(BROKEN, "poll: %s\n", strerror(errno));
    if (fds[3].revents) read_messages();
    if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) read_port();
    if (port >= 0 && fds[0].revents & POLLOUT) write_port();
    if (fds[1].revents) read_input();
    if (fds[2].revents) {
      struct signalfd_siginfo info;
      if (read(signals, &info, sizeof info) < 0) continue;
      if (info.ssi_signo == SIGTERM) end(BROKEN, "\n"); // the daemon gives it up
      reap();
    }
  }
}
