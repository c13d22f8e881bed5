/* Directories below the root, always reached by descriptor. */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Marks a directory that the archive implies by a path below it but has not described yet. */
#define IMPLIED "user.berth.implied"
/* Bytes of the paths of all of them, which the caller has to read. */
#define MAX_IMPLIED (8u << 20)

static int root = -1;
static int open_fd = -1;
static char open_path[MAX_PATH_BYTES];
static bool at_root, through_link; /* the last path asked for; the one that is open */
static char **implied;
static size_t implied_count, implied_bytes;

void tree_root(int fd)
{
	root = fd;
}

int tree_root_fd(void)
{
	return root;
}

bool led_through_link(void)
{
	return through_link && !at_root;
}

static void forget_directory(void)
{
	if (open_fd >= 0)
		close(open_fd);
	open_fd = -1;
}

static int open_in_root(const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	if (fd >= 0 || errno != ELOOP)
		return fd;
	through_link = true;
	how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static void remember_implied(int fd, const char *path)
{
	if (fsetxattr(fd, IMPLIED, "1", 1, 0) != 0)
		fail_errno("mark of an implied directory");
	if ((implied_bytes += strlen(path)) > MAX_IMPLIED)
		fail("the archive implies too many directories");
	if ((implied_count & (implied_count - 1)) == 0)
		implied = must_grow(implied, sizeof *implied * (implied_count ? implied_count * 2 : 1));
	if (!(implied[implied_count++] = strdup(path)))
		fail("out of memory");
}

bool implied_forget(int fd)
{
	return implied_count > 0 && fremovexattr(fd, IMPLIED) == 0;
}

void implied_print(void)
{
	bool first = true;
	printf("\"implied\":[");
	for (size_t i = 0; i < implied_count; i++) {
		/* It may have been described, or replaced, since. */
		int fd = open_in_root(implied[i]);
		if (fd < 0)
			continue;
		if (implied_forget(fd)) {
			if (!first)
				putchar(',');
			first = false;
			put_json_string(implied[i]);
		}
		close(fd);
	}
	putchar(']');
}

static int open_or_make(char *path)
{
	int fd = open_in_root(path);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int parent;
	if (slash) {
		*slash = 0;
		parent = open_or_make(path);
		*slash = '/';
	} else {
		parent = open_in_root(".");
	}
	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, 0755) != 0) {
		/* A link that leads nowhere is in the way. */
		close(parent);
		errno = errno == EEXIST ? ENOTDIR : errno;
		return -1;
	}
	/* Not from the root again, which for deep paths would take time by the square of their depth. */
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(parent);
	if (fd >= 0)
		remember_implied(fd, path);
	return fd;
}

int open_directory(const char *path)
{
	at_root = *path == 0;
	if (at_root)
		return root;
	if (open_fd >= 0 && strcmp(open_path, path) == 0)
		return open_fd;
	forget_directory();
	through_link = false;
	strcpy(open_path, path);
	open_fd = open_or_make(open_path);
	if (open_fd < 0)
		fail_errno("parent directory");
	return open_fd;
}

void remove_existing(int directory, const char *name)
{
	/* The remembered directory may have been reached through what goes now. */
	if (directory == root)
		forget_directory();
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return;
	if (errno != EISDIR && errno != EPERM)
		fail_errno("unlink");
	remove_tree(directory, name);
}
