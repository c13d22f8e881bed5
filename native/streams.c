#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attach.h"
#include "log.h"

enum { READ_SIZE = 32 << 10 };

static int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
static int master = -1; // of the terminal
// The terminal itself: without it the terminal ends as soon as no process has it open, which an init system
// sees to now and then, and nothing that is written later comes out.
static int kept = -1;

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static int make_pipe(int ends[2], int ours, const struct shim_options *options) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  fcntl(ends[ours], F_SETFL, O_NONBLOCK);
  // So that the process may open /dev/stdout and the like again.
  return fchown(ends[1 - ours], options->owner_uid, options->owner_gid);
}

int streams_make(const struct shim_options *options) {
  if (options->flags & SHIM_TTY) return 0;
  if (options->flags & SHIM_STDIN && make_pipe(in, 1, options) < 0) return -1;
  return make_pipe(out, 0, options) < 0 ? -1 : make_pipe(err, 0, options);
}

int streams_enter(int terminal) {
  if (terminal >= 0) {
    if (setsid() < 0 && errno != EPERM) return -1;
    if (ioctl(terminal, TIOCSCTTY, 0) < 0) return -1;
    for (int fd = 0; fd < 3; fd++)
      if (dup2(terminal, fd) < 0) return -1;
    return 0;
  }
  int from = in[0] >= 0 ? in[0] : open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (from < 0 || dup2(from, 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0) return -1;
  return setsid() < 0 && errno != EPERM ? -1 : 0;
}

void streams_leave_child(int terminal) {
  close_fd(&in[0]);
  close_fd(&out[1]);
  close_fd(&err[1]);
  master = terminal;
  if (master < 0) return;
  fcntl(master, F_SETFL, O_NONBLOCK);
  kept = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

void streams_leave_to_end(void) { close_fd(&kept); }

static int *reader_of(int stream) { return stream == 2 ? &err[0] : master >= 0 ? &master : &out[0]; }

int streams_fd(int stream) { return *reader_of(stream); }

size_t streams_read(int stream) {
  int *fd = reader_of(stream);
  static char data[READ_SIZE];
  size_t size = 0;
  // A terminal or pipe that never runs dry must not starve the rest.
  for (int turn = 0; turn < 8; turn++) {
    ssize_t n = read(*fd, data, sizeof data);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) { // the end; EIO from a terminal without processes
      close_fd(fd);
      log_end(stream);
      break;
    }
    size += (size_t)n;
    log_write(stream, data, (size_t)n);
    attach_output(stream, data, (size_t)n);
    if ((size_t)n < sizeof data) break;
  }
  return size;
}

int streams_input_fd(void) { return master >= 0 ? master : in[1]; }
void streams_close_input(void) { close_fd(&in[1]); }

void streams_input(const uint8_t *data, size_t size, size_t *taken, int *error) {
  int fd = streams_input_fd();
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

int streams_resize(unsigned rows, unsigned columns) {
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  return master < 0 ? ENOTTY : ioctl(master, TIOCSWINSZ, &size) < 0 ? errno : 0;
}
