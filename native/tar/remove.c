/* Removes trees of any depth: paths longer than PATH_MAX and more levels than descriptors are easily
 * made by an archive or a container. A directory's subdirectories move up beside it before it goes, so
 * that nothing is ever more than one level down. */
#include "tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void (*before_unlink)(int directory, const char *name);

static int open_child(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Moves a directory to `top`, where everything is going to be removed anyway. */
static void move_up(int parent, const char *name, int top)
{
	static unsigned long counter;
	char moved[32];
	do
		snprintf(moved, sizeof moved, ".moved-%lu", counter++);
	while (renameat2(parent, name, top, moved, RENAME_NOREPLACE) != 0 && errno == EEXIST);
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		fail_errno("rename");
}

/* Unlinks what is no directory and moves directories up; whether there was any of either. */
static bool strip(int directory, int top)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	if (!stream)
		fail_errno("read of a directory");
	bool any = false;
	struct dirent *item;
	while ((errno = 0, item = readdir(stream))) {
		const char *name = item->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		any = true;
		if (item->d_type != DT_DIR && before_unlink)
			before_unlink(directory, name);
		if (item->d_type != DT_DIR && unlinkat(directory, name, 0) == 0)
			continue;
		if (item->d_type != DT_DIR && errno != EISDIR && errno != EPERM)
			fail_errno("unlink");
		if (directory != top) {
			move_up(directory, name, top);
			continue;
		}
		int child = open_child(directory, name);
		if (child < 0)
			fail_errno("open of a directory");
		strip(child, top);
		close(child);
		if (unlinkat(directory, name, AT_REMOVEDIR) != 0 && errno != ENOTEMPTY)
			fail_errno("rmdir");
	}
	if (errno)
		fail_errno("read of a directory");
	closedir(stream);
	return any;
}

void remove_tree(int parent, const char *name)
{
	int top = open_child(parent, name);
	if (top < 0) {
		if (errno == ENOENT)
			return;
		if ((errno != ENOTDIR && errno != ELOOP) || unlinkat(parent, name, 0) != 0)
			fail_errno("unlink");
		return;
	}
	/* What moves up while the directory is being read may be missed by that reading. */
	while (strip(top, top))
		;
	close(top);
	if (unlinkat(parent, name, AT_REMOVEDIR) != 0)
		fail_errno("rmdir");
}
