/* berth-tar inherit LAYER LOWER... < paths, each with a zero byte after it
 *
 * An archive may hold a/b/file without a or a/b. The directories that had to be made for it take their
 * owner, mode, times and attributes from the uppermost lower layer that has them, as if the archive had
 * been unpacked over the layers below. */
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

static int open_below(int root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static void copy_xattrs(int from, int to)
{
	static char names[65536], value[65536];
	ssize_t size = flistxattr(from, names, sizeof names);
	if (size < 0)
		fail_errno("flistxattr");
	for (char *name = names; name < names + size; name += strlen(name) + 1) {
		if (!allowed_xattr(name))
			continue;
		ssize_t length = fgetxattr(from, name, value, sizeof value);
		if (length < 0 || fsetxattr(to, name, value, (size_t)length, 0) != 0)
			fail_errno(name);
	}
}

static void copy_attributes(int from, int to)
{
	struct stat st;
	if (fstat(from, &st) != 0)
		fail_errno("fstat");
	if (fchown(to, st.st_uid, st.st_gid) != 0)
		fail_errno("fchown");
	if (fchmod(to, st.st_mode & 07777) != 0)
		fail_errno("fchmod");
	copy_xattrs(from, to);
	struct timespec times[2] = { st.st_atim, st.st_mtim };
	if (futimens(to, times) != 0)
		fail_errno("futimens");
}

static void inherit_one(const char *path, int layer, const int *lowers, int count)
{
	int to = open_below(layer, path);
	if (to < 0) {
		/* A link of the archive is on the way: the directory is described by its true path. */
		if (errno == ELOOP || errno == ENOTDIR || errno == ENOENT)
			return;
		fail_errno("open");
	}
	for (int i = 0; i < count; i++) {
		int from = open_below(lowers[i], path);
		if (from < 0 && errno == ENOENT)
			continue;
		if (from >= 0) {
			copy_attributes(from, to);
			close(from);
		} else if (errno != ELOOP && errno != ENOTDIR) {
			fail_errno("open");
		}
		/* What is not a directory hides what is below it. */
		break;
	}
	close(to);
}

static int open_layer(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_errno(path);
	return fd;
}

void inherit(const char *layer_path, char **lower_paths, int count)
{
	int *lowers = must_alloc(sizeof *lowers * (size_t)(count + 1));
	int layer = open_layer(layer_path);
	for (int i = 0; i < count; i++)
		lowers[i] = open_layer(lower_paths[i]);
	char *path = NULL;
	size_t capacity = 0;
	while (getdelim(&path, &capacity, 0, stdin) > 0) {
		current_entry = path;
		inherit_one(path, layer, lowers, count);
	}
	puts("{}");
}
