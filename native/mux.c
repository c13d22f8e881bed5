// Frames on the control port, as on the launcher's channel: u32 length of the payload, u32 stream, u8 kind,
// payload. A connection begins with the marker and a nonce, so that what an earlier one left is passed over.
#include "mux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest.h"
#include "launcher.h"
#include "relay.h"
#include "wire.h"

// To the guest all but HELLO; from it HELLO, DATA, CLOSE with an errno, CREDIT.
enum mux_kind { MUX_HELLO = 1, MUX_OPEN, MUX_DATA, MUX_END, MUX_CLOSE, MUX_CREDIT, MUX_RELAY };
enum {
  WINDOW = 256 << 10,                     // bytes that either side may send without leave, per stream
  WRITE_MAX = 32 << 10,                   // that the port takes at once
  PAYLOAD_MAX = WRITE_MAX - FRAME_HEADER,
  MARKER = 33,                            // 0xff, then 32 characters that are no 0xff
  NONCE = 16,
};

struct stream {
  uint32_t id;
  int fd;
  uint32_t credit; // bytes that the daemon has room for
  uint8_t *in;     // from the daemon, for fd
  uint32_t in_size;
  bool ends; // nothing more comes from the daemon
};

static struct stream streams[MUX_STREAMS];
static struct stream *polled[MUX_STREAMS];
static unsigned first; // whose turn it is
static int port;
static bool absent = true; // no daemon
static uint8_t marker[MARKER];
static size_t matched; // bytes of the marker seen in a row
static uint8_t rx[FRAME_HEADER + PAYLOAD_MAX], *tx;
static size_t rx_size, tx_size, tx_room;
static size_t nonce_left;
static uint8_t nonce[NONCE];

void mux_begin(int fd, const char *token) {
  port = fd;
  marker[0] = 0xff;
  memcpy(marker + 1, token, MARKER - 1);
  for (int i = 0; i < MUX_STREAMS; i++) streams[i].fd = -1;
}

void mux_host_may_be_back(void) { absent = false; }

static void flush_port(void) {
  while (tx_size) {
    ssize_t n = write(port, tx, tx_size < WRITE_MAX ? tx_size : WRITE_MAX);
    if (n <= 0) return;
    tx_size -= (size_t)n;
    memmove(tx, tx + n, tx_size);
  }
}

static void send_frame(uint32_t id, enum mux_kind kind, const void *data, size_t size) {
  size_t whole = FRAME_HEADER + size;
  if (tx_size + whole > tx_room) {
    uint8_t *grown = realloc(tx, tx_room = (tx_size + whole) * 2);
    if (!grown) boot_failed("out of memory");
    tx = grown;
  }
  uint8_t *at = put_u32(put_u32(tx + tx_size, (uint32_t)size), id);
  *at++ = (uint8_t)kind;
  if (size) memcpy(at, data, size);
  tx_size += whole;
}

static void send_number(uint32_t id, enum mux_kind kind, uint32_t number) {
  uint8_t payload[4];
  put_u32(payload, number);
  send_frame(id, kind, payload, sizeof payload);
}

static void drop(struct stream *s) {
  if (s->fd < 0) return;
  close(s->fd);
  free(s->in);
  *s = (struct stream){.fd = -1};
}

static void end_stream(struct stream *s, int error) {
  send_number(s->id, MUX_CLOSE, (uint32_t)error);
  drop(s);
}

static struct stream *find(uint32_t id) {
  for (int i = 0; i < MUX_STREAMS; i++)
    if (streams[i].fd >= 0 && streams[i].id == id) return &streams[i];
  return NULL;
}

// A launcher for this connection alone: it ends with it, its shims go on.
static int start_launcher(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  pid_t pid = fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(ends[1], 3);
    syscall(SYS_close_range, 4, ~0U, 0);
    _exit(launcher_main(NULL, NULL, false));
  }
  close(ends[1]);
  return ends[0];
}

static int connect_shim(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int saved = errno;
  if (fd >= 0) close(fd);
  return errno = saved, -1;
}

static void open_stream(uint32_t id, const char *path) {
  struct stream *s = NULL;
  for (int i = 0; i < MUX_STREAMS && !s; i++)
    if (streams[i].fd < 0) s = &streams[i];
  errno = find(id) ? EEXIST : EMFILE;
  int fd = find(id) || !s ? -1 : *path ? connect_shim(path) : start_launcher();
  if (fd < 0) {
    send_number(id, MUX_CLOSE, (uint32_t)errno);
    return;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  *s = (struct stream){.id = id, .fd = fd, .credit = WINDOW};
}

// Writes what came from the daemon; gives it leave to send as much again.
static void flush_stream(struct stream *s) {
  uint32_t taken = 0;
  while (taken < s->in_size) {
    ssize_t n = send(s->fd, s->in + taken, s->in_size - taken, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) { // what was left to read still comes; the rest goes nowhere
      taken = s->in_size;
      break;
    }
    taken += (uint32_t)n;
  }
  if (taken) send_number(s->id, MUX_CREDIT, taken);
  s->in_size -= taken;
  memmove(s->in, s->in + taken, s->in_size);
  if (s->in_size) return;
  free(s->in);
  s->in = NULL;
  if (s->ends) shutdown(s->fd, SHUT_WR);
}

static void take_data(struct stream *s, const uint8_t *data, size_t size) {
  uint8_t *grown = s->in_size + size > WINDOW ? NULL : realloc(s->in, s->in_size + size);
  if (!grown) {
    end_stream(s, EPROTO);
    return;
  }
  memcpy(grown + s->in_size, data, size);
  s->in = grown;
  s->in_size += (uint32_t)size;
  flush_stream(s);
}

static void handle_frame(uint32_t id, uint8_t kind, uint8_t *payload, size_t size) {
  struct stream *s = find(id);
  struct reader in = {payload, payload + size, false};
  char path[128] = "";
  if (size < sizeof path) memcpy(path, payload, size);
  if (kind == MUX_OPEN) open_stream(id, path);
  else if (kind == MUX_RELAY) send_number(id, MUX_CLOSE, (uint32_t)relay_join(path));
  else if (!s) return; // it has just ended here
  else if (kind == MUX_DATA) take_data(s, payload, size);
  else if (kind == MUX_CREDIT) s->credit += read_u32(&in);
  else if (kind == MUX_CLOSE) end_stream(s, 0);
  else if (kind == MUX_END) {
    s->ends = true;
    flush_stream(s);
  }
}

// Handles the whole frames in the buffer.
static void handle_frames(void) {
  size_t at = 0;
  while (rx_size - at >= FRAME_HEADER) {
    struct reader in = {rx + at, rx + rx_size, false};
    size_t size = read_u32(&in);
    uint32_t id = read_u32(&in);
    uint8_t kind = read_u8(&in);
    if (size > PAYLOAD_MAX) { // not a daemon that speaks so; the next connection's marker mends it
      rx_size = 0;
      return;
    }
    if (rx_size - at < FRAME_HEADER + size) break;
    handle_frame(id, kind, rx + at + FRAME_HEADER, size);
    at += FRAME_HEADER + size;
  }
  rx_size -= at;
  memmove(rx, rx + at, rx_size);
}

static void drop_all(void) {
  for (int i = 0; i < MUX_STREAMS; i++) drop(&streams[i]);
  rx_size = tx_size = 0;
}

static void take_bytes(const uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (nonce_left) {
      nonce[NONCE - nonce_left--] = data[i];
      if (!nonce_left) send_frame(0, MUX_HELLO, nonce, NONCE);
      continue;
    }
    if (rx_size < sizeof rx) rx[rx_size++] = data[i];
    matched = data[i] == marker[matched] ? matched + 1 : data[i] == marker[0];
    if (matched == MARKER) {
      drop_all();
      matched = 0;
      nonce_left = NONCE;
    } else if (rx_size == sizeof rx) {
      handle_frames();
    }
  }
  handle_frames();
}

static void read_port(void) {
  static uint8_t data[WRITE_MAX];
  ssize_t n = read(port, data, sizeof data);
  if (n > 0) take_bytes(data, (size_t)n);
  // Only a new connection's marker ends the streams: the kernel may tell of the old one's end after that.
  if (n == 0) absent = true;
}

static void read_stream(struct stream *s) {
  static uint8_t data[PAYLOAD_MAX];
  ssize_t n = read(s->fd, data, s->credit < sizeof data ? s->credit : sizeof data);
  if (n > 0) {
    send_frame(s->id, MUX_DATA, data, (size_t)n);
    s->credit -= (uint32_t)n;
  } else if (n == 0 || errno != EAGAIN) {
    end_stream(s, n == 0 ? 0 : errno);
  }
}

size_t mux_poll(struct pollfd *fds) {
  fds[0] = (struct pollfd){.fd = absent ? -1 : port, .events = (short)(POLLIN | (tx_size ? POLLOUT : 0))};
  size_t n = 1;
  for (unsigned i = 0; i < MUX_STREAMS; i++) {
    struct stream *s = &streams[(first + i) % MUX_STREAMS];
    if (s->fd < 0 || absent) continue;
    short events = (short)((s->credit && tx_size < WRITE_MAX ? POLLIN : 0) | (s->in_size ? POLLOUT : 0));
    polled[n - 1] = s;
    // Without events the fd is left out: its end would be told without end.
    fds[n++] = (struct pollfd){.fd = events ? s->fd : -1, .events = events};
  }
  first++;
  return n;
}

void mux_handle(const struct pollfd *fds, size_t n) {
  for (size_t i = 1; i < n; i++) {
    struct stream *s = polled[i - 1];
    if (s->fd < 0 || s->fd != fds[i].fd) continue;
    if (fds[i].revents & POLLOUT) flush_stream(s);
    if (fds[i].revents & (POLLIN | POLLHUP | POLLERR) && s->credit && tx_size < 2 * WRITE_MAX) read_stream(s);
  }
  if (fds[0].revents & POLLIN) read_port();
  else if (fds[0].revents & POLLHUP) absent = true;
  if (tx_size && !absent) flush_port();
}
