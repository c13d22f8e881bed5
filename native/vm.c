// Operations for virtual machines, on the host and in the guest.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ops.h"
#include "paths.h"

long op_tap(struct run *run, const union arg *a) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  if (a[1].s.size >= sizeof request.ifr_name) return errno = ENAMETOOLONG, -1;
  strcpy(request.ifr_name, a[1].s.data);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  return ioctl(fd, TUNSETIFF, &request) < 0 ? close_keep(-1, fd) : fd;
}

// Drivers make device nodes a moment after they are loaded.
long op_await_path(struct run *run, const union arg *a) {
  for (int64_t waited = 0; access(a[0].s.data, F_OK) < 0; waited++) {
    if (waited >= a[1].i) return -1;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return 0;
}

long op_add_entropy(struct run *run, const union arg *a) {
  struct {
    struct rand_pool_info info;
    uint8_t data[512];
  } entropy = {.info = {.entropy_count = (int)a[0].s.size * 8, .buf_size = (int)a[0].s.size}};
  if (a[0].s.size > sizeof entropy.data) return errno = EINVAL, -1;
  memcpy(entropy.info.buf, a[0].s.data, a[0].s.size);
  int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int rc = ioctl(fd, RNDADDENTROPY, &entropy) < 0 ? -1 : ioctl(fd, RNDRESEEDCRNG);
  return close_keep(rc, fd);
}

// The shim's directory is the working directory of the host phase.
long op_unix_listener(struct run *run, const union arg *a) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (a[1].s.size >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  strcpy(address.sun_path, a[1].s.data);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  mode_t before = umask(0177);
  int rc = bind(fd, (struct sockaddr *)&address, sizeof address);
  umask(before);
  return rc < 0 || listen(fd, 4) < 0 ? close_keep(-1, fd) : fd;
}

static size_t read_small(int dir, const char *name, char *data, size_t size) {
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, data, size - 1);
  if (fd >= 0) close(fd);
  data[n > 0 ? n : 0] = 0;
  return n > 0 ? (size_t)n : 0;
}

// Of each process its stat, status and command line, with a zero byte after each of the first two.
static void list_process(struct run *run, int dir, const char *group) {
  char text[8 << 10], cgroup[512];
  size_t size = read_small(dir, "cgroup", cgroup, sizeof cgroup), prefix = strlen(group);
  if (strncmp(cgroup, "0::", 3) != 0 || strncmp(cgroup + 3, group, prefix) != 0) return;
  if (!strchr("/\n", cgroup[3 + prefix])) return;
  size = read_small(dir, "stat", text, 1024) + 1;
  size += read_small(dir, "status", text + size, 4096) + 1;
  size += read_small(dir, "cmdline", text + size, sizeof text - size);
  run_output(run, text, (uint32_t)size);
}

long op_list_processes(struct run *run, const union arg *a) {
  DIR *all = opendir("/proc");
  if (!all) return -1;
  for (struct dirent *entry; (entry = readdir(all));) {
    int dir = isdigit(*entry->d_name) ? openat(dirfd(all), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0) continue;
    list_process(run, dir, a[0].s.data);
    close(dir);
  }
  closedir(all);
  return 0;
}
