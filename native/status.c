#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int channel = -1;
static uint32_t request;
static uint8_t *queue;
static size_t queued;

void status_begin(int fd, uint32_t id) {
  channel = fd;
  request = id;
}

bool status_pending(void) { return queued > 0; }
int status_channel(void) { return channel; }

// A small frame on a unix stream socket goes as a whole or not at all, so shims can share the channel.
static bool try_send(const uint8_t *frame, size_t size) {
  if (channel < 0) return true;
  ssize_t n = send(channel, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) return false;
  if (n < 0) { // the daemon is gone
    close(channel);
    channel = -1;
  }
  return true;
}

void status_send(enum answer_kind kind, const uint8_t *payload, size_t size) {
  uint8_t *frame = malloc(FRAME_HEADER + size);
  if (!frame) return;
  uint8_t *at = put_u32(put_u32(frame, (uint32_t)size), request);
  *at++ = (uint8_t)kind;
  if (size) memcpy(at, payload, size);
  size += FRAME_HEADER;
  if (queued || !try_send(frame, size)) {
    uint8_t *grown = realloc(queue, queued + size);
    if (grown) {
      queue = grown;
      memcpy(queue + queued, frame, size);
      queued += size;
    }
  }
  free(frame);
}

void status_retry(void) {
  while (queued) {
    struct reader in = {queue, queue + queued, false};
    size_t size = read_u32(&in) + FRAME_HEADER;
    if (!try_send(queue, size)) return;
    queued -= size;
    memmove(queue, queue + size, queued);
  }
}

void status_failed(const struct failure *failure, const char *text) {
  uint8_t payload[256] = {(uint8_t)failure->phase};
  size_t size = strlen(text);
  if (size > 240) size = 240;
  put_u32(put_u32(payload + 1, (uint32_t)failure->step), (uint32_t)failure->error);
  memcpy(payload + 9, text, size);
  status_send(ANSWER_FAILED, payload, 9 + size);
}

int status_write(int dir, const char *name, const char *text) {
  char temporary[64];
  snprintf(temporary, sizeof temporary, ".%s", name);
  int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  size_t size = strlen(text);
  bool whole = write(fd, text, size) == (ssize_t)size;
  close(fd);
  return whole ? renameat(dir, temporary, dir, name) : -1;
}

uint64_t start_time(pid_t pid) {
  char path[32], stat[512];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, stat, sizeof stat - 1);
  if (fd >= 0) close(fd);
  stat[n > 0 ? n : 0] = 0;
  char *after = strrchr(stat, ')'); // fields 3 to 22 follow the name
  for (int field = 2; after && field < 22; field++) after = strchr(after + 1, ' ');
  return after ? strtoull(after, NULL, 10) : 0;
}
