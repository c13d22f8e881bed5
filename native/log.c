#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
  int fd;
  uint8_t driver;
  uint64_t limit, size;
  unsigned files;
  char path[PATH_MAX];
  const char *attrs;
} file = {.fd = -1};

// What came of a line that has not ended yet.
static struct {
  char *data;
  size_t size;
} partial[3];

static char *buffer;
static size_t used, room;

static void reserve(size_t more) {
  if (used + more <= room) return;
  room = (used + more) * 2;
  buffer = realloc(buffer, room);
  if (!buffer) abort();
}

static int open_file(void) {
  file.fd = open(file.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat st;
  if (file.fd < 0 || fstat(file.fd, &st) < 0) return -1;
  file.size = (uint64_t)st.st_size;
  return 0;
}

int log_open(const struct shim_options *o) {
  file.driver = o->log_driver;
  file.limit = o->log_size;
  file.files = o->log_files;
  file.attrs = o->log_attrs.data; // part of the request, which stays
  if (o->log_driver == LOG_NONE) return 0;
  if (snprintf(file.path, sizeof file.path, "%s", o->log_path.data) >= PATH_MAX) return errno = ENAMETOOLONG, -1;
  return open_file();
}

static void rotate(void) {
  char from[PATH_MAX + 16], to[PATH_MAX + 16];
  close(file.fd);
  for (unsigned i = file.files; i > 1; i--) {
    snprintf(to, sizeof to, "%s.%u", file.path, i - 1);
    snprintf(from, sizeof from, i == 2 ? "%s" : "%s.%u", file.path, i - 2);
    rename(from, to);
  }
  if (file.files < 2) unlink(file.path);
  open_file();
}

static void flush(void) {
  for (size_t at = 0; file.fd >= 0 && at < used;) {
    ssize_t n = write(file.fd, buffer + at, used - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break; // a full disk loses log lines, not the container
    at += (size_t)n;
    file.size += (uint64_t)n;
  }
  used = 0;
  if (room > 4 * LINE_MAX_BYTES) {
    free(buffer);
    buffer = NULL;
    room = 0;
  }
}

// The length of the UTF-8 sequence at p, 0 when it is not one.
static size_t utf8_length(const unsigned char *p, size_t left) {
  static const unsigned char least[5] = {0, 0, 0x80, 0xa0, 0x90};
  size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if ((*p == 0xe0 || *p == 0xf0) && p[1] < least[n]) return 0; // overlong
  if ((*p == 0xed && p[1] > 0x9f) || (*p == 0xf4 && p[1] > 0x8f)) return 0; // surrogate, beyond U+10FFFF
  return n;
}

static void put_json(const char *text, size_t size) {
  static const char hex[] = "0123456789abcdef";
  const unsigned char *p = (const unsigned char *)text;
  reserve(size * 6 + 1);
  char *to = buffer + used;
  for (size_t i = 0; i < size;) {
    unsigned char c = p[i];
    size_t n = utf8_length(p + i, size - i);
    if (n == 0) {
      memcpy(to, "\\ufffd", 6);
      to += 6, i++;
    } else if (c == '"' || c == '\\') {
      *to++ = '\\', *to++ = (char)c, i++;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      *to++ = '\\', *to++ = c == '\n' ? 'n' : c == '\r' ? 'r' : 't', i++;
    } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
      memcpy(to, "\\u00", 4);
      to[4] = hex[c >> 4], to[5] = hex[c & 15];
      to += 6, i++;
    } else if (n == 3 && c == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] & 0xfe) == 0xa8) { // U+2028, U+2029
      memcpy(to, "\\u202", 5);
      to[5] = hex[p[i + 2] & 15];
      to += 6, i += n;
    } else {
      memcpy(to, p + i, n);
      to += n, i += n;
    }
  }
  used = (size_t)(to - buffer);
}

static void put_text(const char *text) {
  size_t size = strlen(text);
  reserve(size);
  memcpy(buffer + used, text, size);
  used += size;
}

static void put_json_line(int stream, const char *data, size_t size, struct timespec now) {
  char time[64];
  struct tm utc;
  gmtime_r(&now.tv_sec, &utc);
  size_t n = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
  if (now.tv_nsec) {
    n += (size_t)snprintf(time + n, sizeof time - n, ".%09ld", now.tv_nsec);
    while (time[n - 1] == '0') n--;
  }
  time[n] = 0;
  put_text("{\"log\":\"");
  put_json(data, size);
  put_text(stream == 2 ? "\",\"stream\":\"stderr\"," : "\",\"stream\":\"stdout\",");
  if (*file.attrs) {
    put_text("\"attrs\":");
    put_text(file.attrs);
    put_text(",");
  }
  put_text("\"time\":\"");
  put_text(time);
  put_text("Z\"}\n");
}

// u32 size of the rest, u64 nanoseconds since the epoch, u8 stream, the bytes, and the u32 size again, so
// that the file can be read from its end.
static void put_local_record(int stream, const char *data, size_t size, struct timespec now) {
  reserve(size + 17);
  uint8_t *to = (uint8_t *)buffer + used;
  to = put_u32(to, (uint32_t)size + 13);
  to = put_u64(to, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
  *to++ = (uint8_t)stream;
  memcpy(to, data, size);
  put_u32(to + size, (uint32_t)size + 13);
  used += size + 17;
}

static void put_line(int stream, const char *data, size_t size) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (file.limit && file.size + used >= file.limit) {
    flush();
    rotate();
  }
  if (file.driver == LOG_JSON) put_json_line(stream, data, size, now);
  else put_local_record(stream, data, size, now);
}

void log_write(int stream, const char *data, size_t size) {
  if (file.driver == LOG_NONE) return;
  while (size > 0) {
    size_t held = partial[stream].size;
    const char *newline = memchr(data, '\n', size);
    size_t take = newline ? (size_t)(newline - data) + 1 : size;
    // As Docker does, a longer line becomes several of 16 KiB.
    if (held + take > LINE_MAX_BYTES) take = LINE_MAX_BYTES - held, newline = NULL;
    bool full = newline || held + take == LINE_MAX_BYTES;
    if (!full || held) {
      if (!partial[stream].data) partial[stream].data = malloc(LINE_MAX_BYTES);
      if (!partial[stream].data) abort();
      memcpy(partial[stream].data + held, data, take);
      partial[stream].size = held + take;
    }
    if (full) {
      put_line(stream, held ? partial[stream].data : data, held + take);
      partial[stream].size = 0;
    }
    data += take;
    size -= take;
  }
  if (used) flush();
}

void log_end(int stream) {
  if (partial[stream].size) {
    put_line(stream, partial[stream].data, partial[stream].size);
    partial[stream].size = 0;
    flush();
  }
}
