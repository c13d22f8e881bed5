#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "streams.h"
#include "watch.h"

enum { HEADER = 5 };

struct client {
  int fd;
  uint8_t flags;
  bool sent_input, closing;
  uint8_t *in; // one incomplete or waiting frame
  size_t in_size, in_taken;
  bool waits; // for room in the process's stdin
  uint8_t *out;
  size_t out_size, out_room;
  time_t progress;
};

static struct client *clients[CLIENTS_MAX];
static int listener = -1;
static unsigned attachments, stall;
static bool once, finished;

static time_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec;
}

void attach_begin(int listening, unsigned stall_seconds, bool stdin_once) {
  listener = listening;
  stall = stall_seconds;
  once = stdin_once;
}

unsigned attach_count(void) { return attachments; }

static void drop(struct client **slot) {
  struct client *c = *slot;
  *slot = NULL;
  close(c->fd);
  bool closes = once && (c->sent_input || (c->flags & ATTACH_STDIN));
  free(c->in);
  free(c->out);
  free(c);
  if (closes) streams_close_input();
}

static bool flush_client(struct client *c) {
  size_t sent = 0;
  while (sent < c->out_size) {
    ssize_t n = send(c->fd, c->out + sent, c->out_size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return false;
    if (n < 0) break;
    sent += (size_t)n;
    c->progress = now();
  }
  c->out_size -= sent;
  memmove(c->out, c->out + sent, c->out_size);
  if (c->out_size == 0) {
    free(c->out);
    c->out = NULL;
    c->out_room = 0;
  }
  return !(c->closing && c->out_size == 0);
}

static bool put_frame(struct client *c, uint8_t kind, int stream, const void *data, size_t size) {
  size_t whole = HEADER + (stream ? 1 : 0) + size;
  if (c->out_size + whole > c->out_room) {
    size_t room = (c->out_size + whole) * 2;
    uint8_t *grown = realloc(c->out, room);
    if (!grown) return false;
    c->out = grown;
    c->out_room = room;
  }
  if (c->out_size == 0) c->progress = now();
  uint8_t *at = put_u32(c->out + c->out_size, (uint32_t)(whole - HEADER));
  *at++ = kind;
  if (stream) *at++ = (uint8_t)stream;
  if (size) memcpy(at, data, size);
  c->out_size += whole;
  return true;
}

static bool acknowledge(struct client *c, int error) {
  uint8_t payload[4];
  put_u32(payload, (uint32_t)error);
  return put_frame(c, ACK, 0, payload, sizeof payload);
}

static bool handle_frame(struct client *c, uint8_t kind, const uint8_t *data, size_t size) {
  struct reader in = {data, data + size, false};
  uint8_t payload[4];
  int error = 0;
  unsigned rows;
  switch (kind) {
    case ATTACH:
      c->flags = read_u8(&in);
      if (c->flags) attachments++;
      return acknowledge(c, 0);
    case INPUT:
      c->sent_input = true;
      streams_input(data, size, &c->in_taken, &error);
      if (!error && c->in_taken < size) return c->waits = true;
      c->in_taken = 0;
      return acknowledge(c, error);
    case CLOSE_INPUT:
      streams_close_input();
      return acknowledge(c, 0);
    case RESIZE:
      rows = read_u16(&in);
      return acknowledge(c, in.bad ? EINVAL : streams_resize(rows, read_u16(&in)));
    case SIGNAL:
      return acknowledge(c, watch_signal((int)read_u32(&in)));
    case STATUS:
      put_u32(payload, (uint32_t)watch_pid());
      return put_frame(c, RUNNING, 0, payload, sizeof payload);
    default:
      return false;
  }
}

// Handles the whole frames in the client's buffer.
static bool handle_input(struct client *c) {
  size_t at = 0;
  while (c->in_size - at >= HEADER) {
    struct reader in = {c->in + at, c->in + c->in_size, false};
    size_t size = read_u32(&in);
    uint8_t kind = read_u8(&in);
    if (size > INPUT_MAX) return false;
    if (c->in_size - at < HEADER + size) break;
    c->waits = false;
    if (!handle_frame(c, kind, in.at, size)) return false;
    if (c->waits) break;
    at += HEADER + size;
  }
  c->in_size -= at;
  memmove(c->in, c->in + at, c->in_size);
  if (c->in_size == 0) {
    free(c->in);
    c->in = NULL;
  }
  return true;
}

static bool read_client(struct client *c) {
  if (!c->in && !(c->in = malloc(HEADER + INPUT_MAX))) return false;
  ssize_t n = recv(c->fd, c->in + c->in_size, HEADER + INPUT_MAX - c->in_size, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  c->in_size += (size_t)n;
  return handle_input(c);
}

static void accept_client(void) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  for (int i = 0; i < CLIENTS_MAX; i++) {
    if (clients[i]) continue;
    if (!(clients[i] = calloc(1, sizeof **clients))) break;
    clients[i]->fd = fd;
    return;
  }
  close(fd);
}

size_t attach_poll(struct pollfd *fds) {
  size_t n = 0;
  fds[n++] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (int i = 0; i < CLIENTS_MAX; i++) {
    struct client *c = clients[i];
    if (!c) continue;
    short events = (short)((c->waits ? 0 : POLLIN) | (c->out_size ? POLLOUT : 0));
    fds[n++] = (struct pollfd){.fd = c->fd, .events = events};
  }
  return n;
}

void attach_handle(const struct pollfd *fds, size_t n) {
  for (size_t i = 1; i < n; i++) {
    if (!fds[i].revents) continue;
    for (int k = 0; k < CLIENTS_MAX; k++) {
      struct client *c = clients[k];
      if (!c || c->fd != fds[i].fd) continue;
      bool alive = true;
      // A client that waits for stdin and hangs up is seen by its POLLHUP.
      if (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) alive = c->waits ? !(fds[i].revents & POLLHUP) : read_client(c);
      if (alive && c->out_size) alive = flush_client(c);
      if (!alive) drop(&clients[k]);
      break;
    }
  }
  if (fds[0].revents & POLLIN) accept_client();
}

static void broadcast(uint8_t kind, int stream, const void *data, size_t size) {
  for (int i = 0; i < CLIENTS_MAX; i++) {
    struct client *c = clients[i];
    if (!c || c->closing) continue;
    if (stream && !(c->flags & (stream == 2 ? ATTACH_STDERR : ATTACH_STDOUT))) continue;
    if (!put_frame(c, kind, stream, data, size) || !flush_client(c)) drop(&clients[i]);
  }
}

void attach_output(int stream, const char *data, size_t size) { broadcast(OUTPUT, stream, data, size); }
void attach_event(enum attach_answer kind, const uint8_t *payload, size_t size) { broadcast(kind, 0, payload, size); }

void attach_finish(void) {
  finished = true;
  for (int i = 0; i < CLIENTS_MAX; i++) {
    struct client *c = clients[i];
    if (!c) continue;
    c->closing = true;
    if (!flush_client(c)) drop(&clients[i]);
  }
}

void attach_input_ready(void) {
  for (int i = 0; i < CLIENTS_MAX; i++) {
    struct client *c = clients[i];
    if (c && c->waits && (!handle_input(c) || (c->out_size && !flush_client(c)))) drop(&clients[i]);
  }
}

bool attach_input_waits(void) {
  for (int i = 0; i < CLIENTS_MAX; i++)
    if (clients[i] && clients[i]->waits) return true;
  return false;
}

bool attach_full(void) {
  for (int i = 0; i < CLIENTS_MAX; i++)
    if (clients[i] && clients[i]->out_size >= CLIENT_BUFFER) return true;
  return false;
}

bool attach_idle(void) {
  for (int i = 0; i < CLIENTS_MAX; i++)
    if (clients[i] && clients[i]->out_size) return false;
  return true;
}

void attach_drop_stalled(void) {
  for (int i = 0; i < CLIENTS_MAX; i++) {
    struct client *c = clients[i];
    if (c && c->out_size && (c->out_size >= CLIENT_BUFFER || finished) && now() - c->progress >= (time_t)stall)
      drop(&clients[i]);
  }
}
