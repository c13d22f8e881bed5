#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LINKS 255

int open_inside(int root, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;
	/* EAGAIN: something was renamed just while ".." was looked at. */
	for (int tries = 0; tries < 1000; tries++) {
		fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

/* The link's target, or -1 when the path is no link. */
static ssize_t read_link(int root, const char *path, char *target, size_t size)
{
	int fd = open_inside(root, path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	ssize_t length = readlinkat(fd, "", target, size);
	close(fd);
	return length;
}

static void pop(char *path)
{
	char *slash = strrchr(path, '/');
	*(slash ? slash : path) = 0;
}

void follow_links(int root, const char *path, char out[MAX_PATH_BYTES])
{
	static char rest[2 * MAX_PATH_BYTES], target[MAX_PATH_BYTES];
	int links = 0;
	if (strlen(path) >= MAX_PATH_BYTES)
		errno = ENAMETOOLONG, fail_errno("path");
	strcpy(rest, path);
	*out = 0;
	for (char *at = rest; *at;) {
		size_t length = strcspn(at, "/");
		if (length == 0) {
			at++;
			continue;
		}
		if (length == 2 && at[0] == '.' && at[1] == '.') {
			pop(out);
			at += length;
			continue;
		}
		if (length == 1 && at[0] == '.') {
			at += length;
			continue;
		}
		size_t end = strlen(out);
		if (end + length + 2 > MAX_PATH_BYTES)
			errno = ENAMETOOLONG, fail_errno("path");
		out[end] = '/';
		memcpy(out + end + 1, at, length);
		out[end + 1 + length] = 0;
		at += length;
		ssize_t size = read_link(root, out, target, sizeof target - 1);
		if (size < 0)
			continue;
		if (++links > MAX_LINKS)
			errno = ELOOP, fail_errno("path");
		target[size] = 0;
		size_t left = strlen(at);
		if ((size_t)size + left + 1 > sizeof rest)
			errno = ENAMETOOLONG, fail_errno("path");
		memmove(rest + size, at, left + 1);
		memcpy(rest, target, (size_t)size);
		at = rest;
		out[target[0] == '/' ? 0 : end] = 0;
	}
	if (*out == 0)
		strcpy(out, "/");
}
