/* Makes one layer of several, lowest first, as if overlayfs had written all of it at once. Files are linked, not
 * copied: layers do not change. All are below the same mount. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPAQUE "user.overlay.opaque"

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd)
{
	char value;
	return fgetxattr(fd, OPAQUE, &value, 1) == 1 && value == 'y';
}

static int open_layer(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_errno(path);
	return fd;
}

static int must_open_directory(int parent, const char *name)
{
	int fd = open_child(parent, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fail_errno("open");
	return fd;
}

static void remove_contents(int fd)
{
	struct names names = read_names(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (size_t i = 0; i < names.count; i++)
		remove_existing(fd, names.list[i]);
	free_names(&names);
}

static void make_opaque(int fd)
{
	if (fsetxattr(fd, OPAQUE, "y", 1, 0) != 0)
		fail_errno(OPAQUE);
}

/* The directory that takes what the layer's has; what is there already stays unless that hides it. */
static int place_directory(int from, int to, const char *name)
{
	struct stat there;
	bool exists = fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
	bool hides = exists && !S_ISDIR(there.st_mode);
	if (hides)
		remove_existing(to, name);
	if ((!exists || hides) && mkdirat(to, name, 0700) != 0)
		fail_errno("mkdir");
	int fd = must_open_directory(to, name);
	/* What was in the way hid what layers below all of them have. */
	if (hides || is_opaque(from))
		make_opaque(fd);
	if (is_opaque(from))
		remove_contents(fd);
	return fd;
}

static void copy_attributes(int from, int to)
{
	struct stat st;
	if (fstat(from, &st) != 0)
		fail_errno("stat");
	struct timespec times[2] = { st.st_atim, st.st_mtim };
	if (fchown(to, st.st_uid, st.st_gid) != 0 || fchmod(to, st.st_mode & 07777) != 0 || futimens(to, times) != 0)
		fail_errno("chown");
}

static void merge_contents(int from, int to)
{
	struct names names = read_names(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (size_t i = 0; i < names.count; i++) {
		const char *name = current_entry = names.list[i];
		struct stat st;
		if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			fail_errno("lstat");
		if (S_ISDIR(st.st_mode)) {
			int source = must_open_directory(from, name);
			int target = place_directory(source, to, name);
			merge_contents(source, target);
			copy_attributes(source, target);
			close(source);
			close(target);
			continue;
		}
		remove_existing(to, name);
		if (is_whiteout(&st) ? mknodat(to, name, S_IFCHR, makedev(0, 0)) : linkat(from, name, to, name, 0))
			fail_errno("link");
	}
	free_names(&names);
}

void merge(const char *target, char **layers)
{
	int to = open_layer(target);
	raise_descriptor_limit();
	for (; *layers; layers++) {
		int from = open_layer(*layers);
		if (is_opaque(from)) {
			remove_contents(to);
			make_opaque(to);
		}
		merge_contents(from, to);
		copy_attributes(from, to);
		close(from);
	}
	close(to);
	puts("{\"done\":true}");
}
