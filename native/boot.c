// From the kernel's hand-over to a root of the guest's own: modules, pseudo file systems, ports.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "seal.h"

enum { PORT_WAIT_MS = 10000 };

bool system_is_own;

void boot_failed(const char *what) {
  fprintf(stderr, "berth: %s: %s\n", what, strerror(errno));
  if (getpid() != 1) _exit(1); // a system goes on without the one that serves the daemon
  sync();
  // A machine with a system may restart itself: switched off it does not try for ever. Others end by it, which
  // powering off takes longer for.
  reboot(system_is_own ? RB_POWER_OFF : RB_AUTOBOOT);
  while (1) pause();
}

static void must(int rc, const char *what) {
  if (rc < 0) boot_failed(what);
}

static void load_module(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/modules/%s", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  must(fd, path);
  if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST) boot_failed(path);
  close(fd);
  unlink(path);
}

// The list has each module after those that it needs.
static void load_modules(void) {
  FILE *list = fopen("/modules/list", "re");
  if (!list) boot_failed("/modules/list");
  char name[200];
  while (fgets(name, sizeof name, list)) {
    name[strcspn(name, "\n")] = 0;
    if (*name) load_module(name);
  }
  fclose(list);
  unlink("/modules/list");
}

static void mount_at(const char *type, const char *path, unsigned long flags, const char *data) {
  if (mkdir(path, 0755) < 0 && errno != EEXIST) boot_failed(path);
  must(mount(type, path, type, flags, data), path);
}

// pivot_root(2), which plans use, cannot leave the initial ram disk: a tmpfs takes its place.
static void change_root(void) {
  static const char *const moved[] = {"/dev", "/proc", "/sys"};
  mount_at("tmpfs", "/root", 0, "mode=755");
  for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
    char target[32];
    snprintf(target, sizeof target, "/root%s", moved[i]);
    must(mkdir(target, 0755), target);
    must(mount(moved[i], target, NULL, MS_MOVE, NULL), target);
  }
  unlink(GUEST_NAME);
  must(chdir("/root"), "chdir");
  must(mount(".", "/", NULL, MS_MOVE, NULL), "the guest's root");
  must(chroot("."), "chroot");
  must(chdir("/"), "chdir");
}

// Where a plan can hold mounts that are not where they belong yet.
static const char *const stages[] = {"/stage", "/stage/root", "/stage/empty"};

static const unsigned long guarded = MS_NOSUID | MS_NODEV | MS_NOEXEC;

void boot_drivers(char **argv, char **env) {
  // It is there already when the program has just become its sealed copy.
  if (access("/proc/self/exe", F_OK) < 0) mount_at("proc", "/proc", guarded, NULL);
  must(seal_self(argv, env), "a sealed copy of the launcher");
  // Nor what it starts, but for the container's processes: those say how it ended.
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0 || write(score, "-1000", 5) < 0) boot_failed("oom_score_adj");
  close(score);
  mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=755");
  mount_at("sysfs", "/sys", guarded, NULL);
  load_modules();
}

void boot_root(void) {
  change_root();
  mount_at("cgroup2", "/sys/fs/cgroup", guarded, NULL);
  must(mkdir("/run", 0755), "/run");
  must(mkdir(GUEST_SHIMS, 0700), GUEST_SHIMS);
  for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) must(mkdir(stages[i], 0755), stages[i]);
  for (int resource = RLIMIT_NPROC; resource <= RLIMIT_NOFILE; resource++)
    setrlimit(resource, &(struct rlimit){1 << 20, 1 << 20});
}

// The number of the port with this name: there is no udev to make links of them.
static int find_port(const char *name, char *device, size_t size) {
  DIR *ports = opendir("/sys/class/virtio-ports");
  if (!ports) return -1;
  int found = -1;
  for (struct dirent *entry; found < 0 && (entry = readdir(ports));) {
    char path[300], text[64] = "";
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (read(fd, text, sizeof text - 1) < 0) *text = 0;
    close(fd);
    text[strcspn(text, "\n")] = 0;
    if (strcmp(text, name) != 0) continue;
    snprintf(device, size, "/dev/%s", entry->d_name);
    found = 0;
  }
  closedir(ports);
  return found;
}

int boot_port(const char *name) {
  char device[300];
  for (int waited = 0; waited < PORT_WAIT_MS; waited++) {
    int fd = find_port(name, device, sizeof device) < 0 ? -1 : open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) return fd;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  boot_failed(name);
}
