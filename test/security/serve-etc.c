// Covers /etc with a file system that nobody serves.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(void) {
  static const char *const bound[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
  char options[100];
  int fd = open("/dev/fuse", O_RDWR);
  for (int i = 0; i < 3; i++) umount2(bound[i], MNT_DETACH);
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
  if (fd < 0 || mount("x", "/etc", "fuse", 0, options) != 0) {
    perror("fuse");
    return 1;
  }
  puts("covered");
  fflush(stdout);
  for (;;) pause();
}
