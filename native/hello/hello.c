/*
 * The program of the built-in image `hello`: says what it is inside of, as the kernel tells it.
 * It reads /proc, /sys and asks the kernel; it changes nothing and needs no library at run time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const capability_names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
	"ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
	"sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
	"lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
	"wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
};
#define CAPABILITY_COUNT (sizeof capability_names / sizeof *capability_names)

static void row(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *label, const char *format, ...)
{
	va_list arguments;
	printf("  %-14s", label);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* Reads a small file into `buffer` as a string without its last newline; 0 or -1 with errno. */
static int read_text(const char *path, char *buffer, size_t size)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return -1;
	ssize_t length = read(descriptor, buffer, size - 1);
	int reason = errno;
	close(descriptor);
	errno = reason;
	if (length < 0)
		return -1;
	while (length > 0 && buffer[length - 1] == '\n')
		length--;
	buffer[length] = '\0';
	return 0;
}

static void print_process(void)
{
	struct utsname names;
	char command[256] = "";
	if (uname(&names) == 0) {
		row("host name", "%s", names.nodename);
		row("kernel", "%s %s, %s", names.sysname, names.release, names.machine);
	}
	if (read_text("/proc/1/comm", command, sizeof command) < 0)
		snprintf(command, sizeof command, "hidden");
	row("process", getpid() == 1 ? "PID 1, the first here" : "PID %d; PID 1 is %s", getpid(), command);
}

/* The id outside of this user namespace that `inside` stands for, or -1 when it has none. */
static long outside_id(const char *map_path, unsigned long inside, int *whole)
{
	FILE *map = fopen(map_path, "re");
	unsigned long first, outer, count;
	long found = -1;
	if (!map)
		return -1;
	while (fscanf(map, "%lu %lu %lu", &first, &outer, &count) == 3) {
		if (inside >= first && inside - first < count)
			found = (long)(outer + inside - first);
		*whole = first == 0 && outer == 0 && count == UINT32_MAX;
	}
	fclose(map);
	return found;
}

static void print_user(void)
{
	int whole = 0;
	long user = outside_id("/proc/self/uid_map", geteuid(), &whole);
	long group = outside_id("/proc/self/gid_map", getegid(), &whole);
	row("user here", "%u, group %u", geteuid(), getegid());
	if (user < 0)
		row("on the host", "unknown");
	else if (whole)
		row("on the host", "%ld, group %ld: the same ids, no user namespace of its own", user, group);
	else
		row("on the host", "%ld, group %ld", user, group);
}

static void print_amount(char *text, size_t size, unsigned long long bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;
	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, value == (unsigned long long)value ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* This process's path in the hierarchy that has `controller`, or in the unified one when NULL. */
static int cgroup_path(const char *controller, char *path, size_t size)
{
	FILE *list = fopen("/proc/self/cgroup", "re");
	char line[4096];
	int found = -1;
	if (!list)
		return -1;
	while (found < 0 && fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = '\0';
		char *names = strchr(line, ':');
		char *place = names ? strchr(names + 1, ':') : NULL;
		if (!place)
			continue;
		*place++ = '\0';
		names++;
		char *rest = names, *name;
		if (!controller && !*names)
			found = 0;
		while (controller && (name = strsep(&rest, ",")))
			if (strcmp(name, controller) == 0)
				found = 0;
		if (found == 0)
			snprintf(path, size, "%s", place);
	}
	fclose(list);
	return found;
}

/*
 * Reads a cgroup file of this process: version 2's when /sys/fs/cgroup is one tree, else version 1's.
 * Inside a cgroup namespace the path is "/"; without one but with the tree mounted as Docker does, the
 * group is at the mount's root as well, so both places are tried.
 */
static int read_limit(const char *controller, const char *file, char *text, size_t size)
{
	char group[2048], path[4200];
	for (int version = 2; version >= 1; version--) {
		const char *directory = version == 2 ? "" : controller;
		if (cgroup_path(version == 2 ? NULL : controller, group, sizeof group) < 0)
			continue;
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s/%s", directory, group, file);
		if (read_text(path, text, size) == 0)
			return 0;
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s", directory, file);
		if (read_text(path, text, size) == 0)
			return 0;
	}
	return -1;
}

static unsigned long long total_memory(void)
{
	return (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void print_memory(void)
{
	char text[64], limit[32], total[32];
	print_amount(total, sizeof total, total_memory());
	int known = read_limit("memory", "memory.max", text, sizeof text) == 0 ||
		    read_limit("memory", "memory.limit_in_bytes", text, sizeof text) == 0;
	if (!known) {
		row("memory", "no limit seen, the machine has %s", total);
		return;
	}
	/* Version 1 says "no limit" by a number larger than any machine's memory. */
	unsigned long long bytes = strcmp(text, "max") ? strtoull(text, NULL, 10) : UINT64_MAX;
	print_amount(limit, sizeof limit, bytes);
	if (bytes >= total_memory())
		row("memory", "no limit, the machine has %s", total);
	else
		row("memory", "at most %s of the machine's %s", limit, total);
}

static void print_cpu(void)
{
	char text[64], period[64];
	cpu_set_t allowed;
	double share = 0;
	CPU_ZERO(&allowed);
	int usable = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
	int known = 1;
	if (read_limit("cpu", "cpu.max", text, sizeof text) == 0) {
		long quota, length;
		if (sscanf(text, "%ld %ld", &quota, &length) == 2 && length > 0)
			share = (double)quota / (double)length;
	} else if (read_limit("cpu", "cpu.cfs_quota_us", text, sizeof text) == 0 &&
		   read_limit("cpu", "cpu.cfs_period_us", period, sizeof period) == 0) {
		long quota = strtol(text, NULL, 10), length = strtol(period, NULL, 10);
		if (quota > 0 && length > 0)
			share = (double)quota / (double)length;
	} else {
		known = 0;
	}
	if (share > 0)
		row("cpu", "at most %.4g of the %d it may run on", share, usable);
	else
		row("cpu", "%s, may run on %d", known ? "no limit" : "no limit seen", usable);
}

static void print_processes(void)
{
	char text[64];
	if (read_limit("pids", "pids.max", text, sizeof text) < 0)
		row("processes", "no limit seen");
	else if (strcmp(text, "max") == 0)
		row("processes", "no limit");
	else
		row("processes", "at most %s", text);
}

static void print_cgroup(void)
{
	char memory[2048], unified[2048];
	int first = cgroup_path("memory", memory, sizeof memory) == 0;
	int second = cgroup_path(NULL, unified, sizeof unified) == 0;
	if (first)
		row("cgroup", "%s (version 1%s)", memory, second ? ", beside version 2" : "");
	else if (second)
		row("cgroup", "%s (version 2)", unified);
	else
		row("cgroup", "unknown");
}

static void print_namespaces(void)
{
	static const char *const names[] = { "user", "pid", "mnt", "net", "uts", "ipc", "cgroup", "time" };
	char path[64], link[64];
	for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", names[index]);
		ssize_t length = readlink(path, link, sizeof link - 1);
		link[length > 0 ? length : 0] = '\0';
		char *number = strchr(link, '[');
		if (index % 4 == 0)
			printf("%s  %-13s", index ? "\n" : "", index ? "" : "namespaces");
		printf(" %s %s", names[index], number ? number : "-");
	}
	putchar('\n');
}

static void print_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	if (syscall(SYS_capget, &header, data) < 0) {
		row("capabilities", "unknown: %s", strerror(errno));
		return;
	}
	uint64_t held = data[0].effective | (uint64_t)data[1].effective << 32;
	size_t width = 0;
	int count = 0;
	for (size_t bit = 0; bit < CAPABILITY_COUNT; bit++)
		count += held >> bit & 1;
	printf("  %-14s%d of %zu", "capabilities", count, CAPABILITY_COUNT);
	for (size_t bit = 0; count < (int)CAPABILITY_COUNT && bit < CAPABILITY_COUNT; bit++) {
		if (!(held >> bit & 1))
			continue;
		if (width == 0 || width + strlen(capability_names[bit]) > 72) {
			printf("\n  %-13s", "");
			width = 0;
		}
		width += (size_t)printf(" %s", capability_names[bit]);
	}
	putchar('\n');
}

static void print_seccomp(void)
{
	char line[256];
	const char *mode = "unknown";
	int filters = -1, value;
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof line, status)) {
		if (sscanf(line, "Seccomp: %d", &value) == 1)
			mode = value == 0 ? "off" : value == 1 ? "strict" : "filtered";
		sscanf(line, "Seccomp_filters: %d", &filters);
	}
	if (status)
		fclose(status);
	if (filters > 0)
		row("system calls", "%s by %d seccomp filter%s", mode, filters, filters == 1 ? "" : "s");
	else
		row("system calls", "not filtered (seccomp %s)", mode);
	row("new rights", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "refused (no_new_privs)" : "allowed to set-user-id programs");
}

static void print_root(void)
{
	struct statfs root;
	if (statfs("/", &root) < 0) {
		row("root", "unknown: %s", strerror(errno));
		return;
	}
	const char *kind = root.f_type == OVERLAYFS_SUPER_MAGIC ? "overlay" :
			   root.f_type == TMPFS_MAGIC ? "tmpfs" :
			   root.f_type == EXT4_SUPER_MAGIC ? "ext4" :
			   root.f_type == XFS_SUPER_MAGIC ? "xfs" :
			   root.f_type == BTRFS_SUPER_MAGIC ? "btrfs" : NULL;
	const char *mode = root.f_flags & ST_RDONLY ? "read-only" : "writable";
	if (kind)
		row("root", "%s, %s", kind, mode);
	else
		row("root", "file system 0x%lx, %s", (unsigned long)root.f_type, mode);
}

int main(void)
{
	puts("Hello from inside a container. This is what the kernel tells it:\n");
	print_process();
	print_user();
	print_memory();
	print_cpu();
	print_processes();
	print_cgroup();
	print_namespaces();
	print_capabilities();
	print_seccomp();
	print_root();
	return fflush(stdout) == 0 ? 0 : 1;
}
