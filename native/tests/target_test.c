// Mount targets are made inside the root whatever links lie there.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../ops.h"
#include "../paths.h"
#include "check.h"

static int root;

static int make(const char *path, bool directory) {
  union arg a[5] = {{0}, {.fd = root}, {.s = {path, (uint32_t)strlen(path)}}, {.i = directory}, {.i = 0755}};
  return (int)op_make_target(NULL, a);
}

static bool exists(const char *path) {
  struct stat st;
  return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_links(void) {
  CHECK(symlinkat("/run", root, "abs") == 0);
  CHECK(make("/abs/x", true) >= 0 && exists("run/x"));
  CHECK(symlinkat("../../../../../outside", root, "up") == 0);
  CHECK(make("/up/x", true) >= 0 && exists("outside/x"));
  CHECK(access("outside", F_OK) < 0 && access("/outside", F_OK) < 0);
  CHECK(symlinkat("/a/nowhere", root, "dangling") == 0);
  CHECK(make("/dangling", false) >= 0 && exists("a/nowhere"));
  CHECK(symlinkat("loop", root, "loop") == 0);
  CHECK(make("/loop/x", true) < 0 && errno == ELOOP);
  CHECK(symlinkat("/l2", root, "l1") == 0 && symlinkat("/l3/y", root, "l2") == 0);
  CHECK(make("/l1/z", true) >= 0 && exists("l3/y/z"));
}

static void test_lengths(void) {
  char longer[5000];
  memset(longer, 'x', sizeof longer - 1);
  longer[0] = '/', longer[sizeof longer - 1] = 0;
  CHECK(make(longer, true) < 0 && errno == ENAMETOOLONG);
  longer[400] = 0;
  CHECK(make(longer, true) < 0 && errno == ENAMETOOLONG);
}

int main(void) {
  char base[] = "/tmp/berth-target-test-XXXXXX", command[64];
  if (!mkdtemp(base) || chdir(base) < 0 || mkdir("root", 0755) < 0) return 1;
  root = open("root", O_PATH | O_DIRECTORY);
  CHECK(make("/a/b/c", true) >= 0 && exists("a/b/c"));
  CHECK(make("/a/b/file", false) >= 0 && exists("a/b/file"));
  CHECK(make("/a/b/file", true) < 0 && errno == ENOTDIR);
  CHECK(make("/", true) >= 0);
  CHECK(make("//a///b//d/", true) >= 0 && exists("a/b/d"));
  test_links();
  test_lengths();
  CHECK(check_procfs(open("/proc", O_PATH)) == 0);
  CHECK(check_procfs(root) < 0 && check_procfs(open("/proc/sys", O_PATH)) < 0);
  snprintf(command, sizeof command, "rm -rf %s", base);
  return system(command) != 0 || failures != 0;
}
