#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PIECE = 32 << 10 }; // what the port takes at once

// Bytes on their way from one to the other.
struct way {
  uint8_t data[PIECE];
  size_t at, size;
};

static int port, shim = -1;
static bool joined, complete;
static struct way out, in;

void relay_begin(int fd) { port = fd; }

int relay_join(const char *path) {
  if (joined) return 0;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = errno;
    close(fd);
    return error;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  shim = fd;
  joined = true;
  return 0;
}

// The last frame on the port: everything is told, and written where it outlives the machine.
static void finish(void) {
  static const uint8_t end[] = {0, 0, 0, 0, 0xff};
  close(shim);
  shim = -1;
  complete = true;
  sync();
  memcpy(out.data, end, sizeof end);
  out.at = 0;
  out.size = sizeof end;
}

size_t relay_poll(struct pollfd *fds) {
  bool open = shim >= 0;
  short to_port = out.size ? POLLOUT : 0, to_shim = in.size ? POLLOUT : 0;
  short from_port = open && !in.size ? POLLIN : 0, from_shim = out.size ? 0 : POLLIN;
  // Without anything to do for it a descriptor is left out, as its end would be told without end.
  fds[0] = (struct pollfd){.fd = from_port | to_port ? port : -1, .events = (short)(from_port | to_port)};
  fds[1] = (struct pollfd){.fd = open && (from_shim | to_shim) ? shim : -1, .events = (short)(from_shim | to_shim)};
  return 2;
}

static void empty(struct way *way, int fd) {
  ssize_t n = write(fd, way->data + way->at, way->size);
  if (n <= 0) {
    if (n < 0 && errno != EAGAIN && errno != EINTR) way->size = 0; // nobody is there to take it
    return;
  }
  way->at += (size_t)n;
  way->size -= (size_t)n;
}

static ssize_t fill(struct way *way, int fd) {
  ssize_t n = read(fd, way->data, sizeof way->data);
  way->at = 0;
  way->size = n > 0 ? (size_t)n : 0;
  return n;
}

void relay_handle(const struct pollfd *fds) {
  if (shim >= 0 && !out.size && fds[1].revents & (POLLIN | POLLHUP | POLLERR)) {
    ssize_t n = fill(&out, shim);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) finish();
  }
  if (shim >= 0 && in.size && fds[1].revents & POLLOUT) empty(&in, shim);
  if (shim >= 0 && !in.size && fds[0].revents & POLLIN) fill(&in, port);
  if (out.size) empty(&out, port);
  if (shim >= 0 && in.size) empty(&in, shim);
}
