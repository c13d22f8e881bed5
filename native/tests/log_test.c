// The log has Docker's lines: split at 16 KiB, escaped, rotated.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "check.h"

static char path[] = "/tmp/berth-log-test-XXXXXX", content[1 << 20];

static const char *read_log(void) {
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, content, sizeof content - 1);
  close(fd);
  content[n > 0 ? n : 0] = 0;
  return content;
}

static void begin(enum log_driver driver, uint64_t limit) {
  struct shim_options options = {
      .log_driver = (uint8_t)driver,
      .log_path = {path, (uint32_t)strlen(path)},
      .log_size = limit,
      .log_files = 2,
      .log_attrs = {"", 0},
  };
  CHECK(truncate(path, 0) == 0 && log_open(&options) == 0);
}

static bool starts(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

static void test_lines(void) {
  begin(LOG_JSON, 0);
  log_write(1, "half", 4);
  CHECK(*read_log() == 0); // waits for the line's end
  log_write(2, "other\n", 6);
  log_write(1, " line\nnext", 10);
  CHECK(starts(read_log(), "{\"log\":\"other\\n\",\"stream\":\"stderr\",\"time\":\""));
  CHECK(starts(strchr(content, '\n') + 1, "{\"log\":\"half line\\n\",\"stream\":\"stdout\""));
  log_end(1);
  CHECK(strstr(read_log(), "{\"log\":\"next\",\"stream\"") != NULL);
}

static void test_utf8(void) {
  // Bad: stray continuation, overlong, surrogate, beyond the last, cut; good: 2, 3 and 4 bytes.
  begin(LOG_JSON, 0);
  const char text[] = "\x80|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82|\xc3\xa9|\xe2\x82\xac|\xf0\x9f\x98\x80\n";
  log_write(1, text, sizeof text - 1);
  CHECK(starts(read_log(), "{\"log\":\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd\\ufffd|"
                           "\\ufffd\\ufffd|\xc3\xa9|\xe2\x82\xac|\xf0\x9f\x98\x80\\n\""));
}

static void test_local(void) {
  begin(LOG_LOCAL, 0);
  log_write(2, "abc\n", 4);
  read_log();
  CHECK((uint8_t)content[0] == 17 && content[12] == 2 && memcmp(content + 13, "abc\n", 4) == 0);
  CHECK((uint8_t)content[17] == 17 && content[21] == 0);
}

static void test_rotation(void) {
  begin(LOG_JSON, 100000);
  static char large[100003];
  memset(large, 'z', sizeof large);
  for (int i = 0; i < 50; i++) log_write(1, large, sizeof large);
  log_write(1, "\n", 1);
  char rotated[64];
  snprintf(rotated, sizeof rotated, "%s.1", path);
  CHECK(access(rotated, F_OK) == 0 && strlen(read_log()) < 140000);
  unlink(rotated);
}

int main(void) {
  close(mkstemp(path));
  test_lines();
  test_utf8();
  test_local();
  test_rotation();
  unlink(path);
  return failures != 0;
}
