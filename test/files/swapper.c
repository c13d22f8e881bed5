// Swaps a directory and a link to OUTSIDE as fast as the kernel can, and once in a while turns both about.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const char *targets[] = {argv[1], "/", "..", "/proc/self/cwd", "/proc/1/root", argv[2]};
  if (argc != 3 || symlink(argv[1], "/d/link") != 0) return 1;
  puts("swapping");
  fflush(stdout);
  for (unsigned turn = 0;; turn++) {
    renameat2(AT_FDCWD, "/d/sub", AT_FDCWD, "/d/link", RENAME_EXCHANGE);
    renameat2(AT_FDCWD, "/d/sub", AT_FDCWD, "/d/link", RENAME_EXCHANGE);
    if (turn % 64 == 0) {
      // What is copied in may have put a directory there, and then this fails: it is swapped as well.
      unlink("/d/new");
      if (symlink(targets[turn / 64 % 6], "/d/new") == 0) rename("/d/new", "/d/link");
      // One that is an element of the path rather than its end.
      renameat2(AT_FDCWD, "/d", AT_FDCWD, "/e", RENAME_EXCHANGE);
      renameat2(AT_FDCWD, "/d", AT_FDCWD, "/e", RENAME_EXCHANGE);
    }
  }
}
