/* Puts one entry where it belongs. Like dockerd, a later entry replaces an earlier one of its name,
 * except that directories merge. Whiteouts become what overlayfs with `userxattr` understands. */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPAQUE "user.overlay.opaque"
#define WHITEOUT ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

struct directory_time {
	char *path;
	struct timespec times[2];
};
static struct directory_time *times;
static size_t times_count;
static bool default_acls; /* once seen, the kernel changes the modes of new files */

bool allowed_xattr(const char *name)
{
	if (strncmp(name, "user.", 5) == 0)
		/* Overlayfs's own attributes would let an image steer the mount. */
		return strncmp(name, "user.overlay.", 13) != 0 && strncmp(name, "user.berth.", 11) != 0;
	return strcmp(name, "security.capability") == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

static void set_xattrs(int fd, const struct entry *entry)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct xattr *xattr = &entry->xattrs[i];
		if (!allowed_xattr(xattr->name))
			continue;
		if (strcmp(xattr->name, "system.posix_acl_default") == 0)
			default_acls = true;
		if (fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) != 0 && errno != ENOTSUP)
			fail_errno(xattr->name);
	}
}

static struct timespec stamp(int64_t seconds, uint32_t nanoseconds)
{
	return (struct timespec){ .tv_sec = seconds, .tv_nsec = nanoseconds };
}

static void entry_times(const struct entry *entry, struct timespec out[2])
{
	out[0] = stamp(entry->atime, entry->atime_ns);
	out[1] = stamp(entry->mtime, entry->mtime_ns);
}

static void own(int fd, const struct entry *entry)
{
	if (fchown(fd, entry->uid, entry->gid) != 0)
		fail_errno("chown");
	/* chown takes the setuid bits away, so the mode comes after it. */
	if (fchmod(fd, entry->mode) != 0)
		fail_errno("chmod");
	set_xattrs(fd, entry);
}

static void replace(int parent, const char *name)
{
	replaced_keep(parent, name);
	remove_existing(parent, name);
}

static void place_file(int parent, const char *name, struct entry *entry)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags, entry->mode & 0777);
	if (fd < 0 && errno == EEXIST) {
		replace(parent, name);
		fd = openat(parent, name, flags, entry->mode & 0777);
	}
	if (fd < 0)
		fail_errno("open");
	uint64_t first_part = recipe_parts();
	recipe_file(entry);
	replaced_note(fd, entry, first_part);
	entry_data(fd, entry);
	recipe_file_end();
	input_padding(entry->size);
	entry->size = 0;
	if (fchown(fd, entry->uid, entry->gid) != 0)
		fail_errno("chown");
	if (((entry->mode & 07000) || default_acls) && fchmod(fd, entry->mode) != 0)
		fail_errno("chmod");
	set_xattrs(fd, entry);
	struct timespec at[2];
	entry_times(entry, at);
	if (futimens(fd, at) != 0)
		fail_errno("utimens");
	close(fd);
}

static void remember_times(const struct entry *entry)
{
	if ((times_count & (times_count - 1)) == 0)
		times = must_grow(times, sizeof *times * (times_count ? times_count * 2 : 1));
	struct directory_time *slot = &times[times_count++];
	slot->path = strdup(entry->path);
	if (!slot->path)
		fail("out of memory");
	entry_times(entry, slot->times);
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static void make_opaque(int fd)
{
	if (fsetxattr(fd, OPAQUE, "y", 1, 0) != 0)
		fail_errno(OPAQUE);
}

static void place_directory(int parent, const char *name, struct entry *entry)
{
	bool opaque = false;
	if (mkdirat(parent, name, entry->mode & 0777) != 0) {
		struct stat st;
		if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			fail_errno("mkdir");
		if (!S_ISDIR(st.st_mode)) {
			/* A whiteout of the same layer hid what lower layers have; the directory still must. */
			opaque = is_whiteout(&st);
			replace(parent, name);
			if (mkdirat(parent, name, entry->mode & 0777) != 0)
				fail_errno("mkdir");
		}
	}
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open");
	implied_forget(fd);
	own(fd, entry);
	if (opaque)
		make_opaque(fd);
	close(fd);
	remember_times(entry);
}

static void place_link(int parent, const char *name, const struct entry *entry)
{
	if (symlinkat(entry->link, parent, name) != 0) {
		if (errno == EEXIST)
			replace(parent, name);
		else if (errno == ENOENT && entry->link[0] == 0)
			fail("an empty symbolic link");
		else
			fail_errno("symlink");
		if (symlinkat(entry->link, parent, name) != 0)
			fail_errno("symlink");
	}
}

/* The part of `path` before its last slash goes to `directory`, the rest is returned. */
static const char *split(const char *path, char *directory)
{
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;
	memcpy(directory, path, size);
	directory[size] = 0;
	return slash ? slash + 1 : path;
}

static void place_hard_link(const char *directory, const char *name, struct entry *entry)
{
	static char target_directory[MAX_PATH_BYTES];
	clean_path(entry->link);
	if (entry->link[0] == 0)
		fail("a hard link to the root");
	if (strcmp(entry->link, entry->path) == 0)
		return;
	const char *target = split(entry->link, target_directory);
	int from = dup(open_directory(target_directory));
	if (from < 0)
		fail_errno("dup");
	int parent = open_directory(directory);
	/* Without AT_SYMLINK_FOLLOW a symbolic link is linked to, not followed. */
	if (linkat(from, target, parent, name, 0) != 0) {
		if (errno != EEXIST)
			fail_errno("hard link");
		replace(parent, name);
		if (linkat(from, target, parent, name, 0) != 0)
			fail_errno("hard link");
	}
	close(from);
}

static void place_node(int parent, const char *name, const struct entry *entry)
{
	mode_t kind = entry->type == '3' ? S_IFCHR : entry->type == '4' ? S_IFBLK : S_IFIFO;
	dev_t device = entry->type == '6' ? 0 : makedev(entry->major, entry->minor);
	if (mknodat(parent, name, kind | (entry->mode & 0777), device) != 0) {
		if (errno != EEXIST)
			fail_errno("mknod");
		replace(parent, name);
		if (mknodat(parent, name, kind | (entry->mode & 0777), device) != 0)
			fail_errno("mknod");
	}
	if (fchmodat(parent, name, entry->mode, 0) != 0)
		fail_errno("chmod");
}

/* What the same layer has under the name stays: a whiteout speaks of lower layers only. */
static void place_whiteout(int parent, const char *hidden)
{
	if (*hidden == 0 || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		fail("a whiteout without a name");
	if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
		return;
	if (errno != EEXIST)
		fail_errno("mknod");
	int fd = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			return;
		fail_errno("open");
	}
	make_opaque(fd);
	close(fd);
}

static void place_special(int parent, const char *name, const struct entry *entry)
{
	struct timespec at[2];
	entry_times(entry, at);
	if (entry->type == '2')
		place_link(parent, name, entry);
	else
		place_node(parent, name, entry);
	if (fchownat(parent, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("chown");
	if (entry->type != '2' && (entry->mode & 07000) && fchmodat(parent, name, entry->mode, 0) != 0)
		fail_errno("chmod");
	if (utimensat(parent, name, at, AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("utimens");
}

void place(struct entry *entry)
{
	static char directory[MAX_PATH_BYTES];
	clean_path(entry->path);
	const char *name = split(entry->path, directory);
	int parent = open_directory(directory);
	if (*name == 0) {
		if (entry->type != '5')
			fail("the root is not a directory");
		own(parent, entry);
		remember_times(entry);
		return;
	}
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0) {
		if (strcmp(name, WHITEOUT_OPAQUE) == 0)
			make_opaque(parent);
		else if (strncmp(name, WHITEOUT WHITEOUT, 2 * strlen(WHITEOUT)) != 0)
			/* The others of this prefix are aufs's own. */
			place_whiteout(parent, name + strlen(WHITEOUT));
		return;
	}
	switch (entry->type) {
	case '0':
		place_file(parent, name, entry);
		break;
	case '1':
		place_hard_link(directory, name, entry);
		break;
	case '2':
	case '3':
	case '4':
	case '6':
		place_special(parent, name, entry);
		break;
	case '5':
		place_directory(parent, name, entry);
		break;
	default:
		fail("unknown type of entry: %c (%d)", entry->type >= 32 ? entry->type : '?', entry->type);
	}
}

void place_finish(void)
{
	static char directory[MAX_PATH_BYTES];
	current_entry = NULL;
	for (size_t i = 0; i < times_count; i++) {
		const char *name = split(times[i].path, directory);
		int parent = open_directory(directory);
		/* Something else may have taken the name, or the directory may be gone. */
		if (utimensat(parent, *name ? name : ".", times[i].times, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
			fail_errno("utimens");
	}
}
