/* Unpacks an archive into a directory that exists, as `docker cp` does. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct directory_time {
	char *path;
	struct timespec times[2];
};
static struct directory_time *times;
static size_t times_count;

static int root;
static char base[MAX_PATH_BYTES]; /* the directory, without links; "" for the root */
static const struct put_options *options;

/* The directory that was used last, since neighbours follow each other. */
static int last = -1;
static char last_path[2 * MAX_PATH_BYTES];

static void forget(void)
{
	if (last >= 0)
		close(last);
	last = -1;
}

static int open_or_make(char *path)
{
	int fd = open_inside(root, path, O_RDONLY | O_DIRECTORY);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	char *slash = strrchr(path, '/');
	if (!slash)
		return -1;
	*slash = 0;
	int parent = open_or_make(path);
	*slash = '/';
	if (parent < 0)
		return -1;
	int made = mkdirat(parent, slash + 1, 0755);
	int error = errno;
	close(parent);
	errno = error == EEXIST ? ENOTDIR : error; /* a link that leads nowhere is in the way */
	return made == 0 ? open_inside(root, path, O_RDONLY | O_DIRECTORY) : -1;
}

/* `relative` is clean: below the base. */
static int directory_of(const char *relative)
{
	static char path[sizeof last_path];
	snprintf(path, sizeof path, "%s%s%s", base, *relative ? "/" : "", relative);
	if (last >= 0 && strcmp(path, last_path) == 0)
		return last;
	forget();
	strcpy(last_path, path);
	last = open_or_make(path);
	if (last < 0)
		fail_errno(path);
	return last;
}

/* Go's filepath.Clean of a name in an archive: ".." stays in front of relative ones. */
static void check_inside(const char *name, const char *kind, const char *link)
{
	int depth = 0;
	if (*name == '/')
		return;
	for (const char *at = name; *at;) {
		size_t length = strcspn(at, "/");
		if (length == 2 && at[0] == '.' && at[1] == '.')
			depth--;
		else if (length > 0 && !(length == 1 && at[0] == '.'))
			depth++;
		if (depth < 0) {
			if (link)
				fail("invalid %s \"%s\" -> \"%s\"", kind, current_entry, link);
			fail("\"%s\" is outside of \"%s\"", name, *base ? base : "/");
		}
		at += length + (at[length] == '/');
	}
}

/* Like clean_path, but ".." of an absolute path stops at the root. */
static void clean(char *path)
{
	while (*path == '/' && strncmp(path, "/../", 4) == 0)
		memmove(path, path + 3, strlen(path + 3) + 1);
	if (strcmp(path, "/..") == 0)
		*path = 0;
	char *rooted = path;
	if (*rooted == '/') {
		/* Drops components that ".." takes away at the top, which clean_path refuses. */
		int depth = 0;
		for (char *at = rooted + 1; *at;) {
			size_t length = strcspn(at, "/");
			bool up = length == 2 && at[0] == '.' && at[1] == '.';
			if (up && depth == 0) {
				memmove(rooted, at + length, strlen(at + length) + 1);
				at = *rooted ? rooted + 1 : rooted;
				continue;
			}
			if (up)
				depth--;
			else if (length > 0 && !(length == 1 && at[0] == '.'))
				depth++;
			at += length + (at[length] == '/');
		}
	}
	clean_path(path);
}

static void check_kind(int parent, const char *name, const struct entry *entry, bool *exists)
{
	struct stat st;
	*exists = false;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			fail_errno("lstat");
		return;
	}
	bool was = S_ISDIR(st.st_mode), is = entry->type == '5';
	if (options->keep_kind && was && !is)
		fail("cannot overwrite directory \"%s/%s\" with non-directory \"%s\"", base, entry->path, *base ? base : "/");
	if (options->keep_kind && !was && is)
		fail("cannot overwrite non-directory \"%s/%s\" with directory \"%s\"", base, entry->path, *base ? base : "/");
	*exists = was && is;
	if (!*exists) {
		remove_existing(parent, name);
		/* The remembered directory may have been reached through it. */
		last_path[0] = 1;
	}
}

static uint32_t owner_uid(const struct entry *entry)
{
	return id_to_host(options->chown ? options->uid : entry->uid);
}

static uint32_t owner_gid(const struct entry *entry)
{
	return id_to_host(options->chown ? options->gid : entry->gid);
}

static void finish_open(int fd, const struct entry *entry)
{
	if (fchown(fd, owner_uid(entry), owner_gid(entry)) != 0)
		fail_errno("lchown");
	/* chown takes the setuid bits away, so the mode comes after it. */
	if (fchmod(fd, entry->mode) != 0)
		fail_errno("chmod");
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct xattr *xattr = &entry->xattrs[i];
		/* Overlayfs's own attributes would let an archive steer the mount. */
		if (strncmp(xattr->name, "user.overlay.", 13) == 0 ||
		    (strncmp(xattr->name, "user.", 5) != 0 && strcmp(xattr->name, "security.capability") != 0))
			continue;
		if (fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) != 0 && errno != ENOTSUP && errno != EPERM)
			fail_errno(xattr->name);
	}
}

static void entry_times(const struct entry *entry, struct timespec out[2])
{
	out[0] = (struct timespec){ .tv_sec = entry->atime, .tv_nsec = entry->atime_ns };
	out[1] = (struct timespec){ .tv_sec = entry->mtime, .tv_nsec = entry->mtime_ns };
}

static void remember_times(const struct entry *entry)
{
	if ((times_count & (times_count - 1)) == 0)
		times = must_grow(times, sizeof *times * (times_count ? times_count * 2 : 1));
	struct directory_time *slot = &times[times_count++];
	if (!(slot->path = strdup(entry->path)))
		fail("out of memory");
	entry_times(entry, slot->times);
}

static void put_directory(int parent, const char *name, const struct entry *entry, bool exists)
{
	if (!exists && mkdirat(parent, name, entry->mode & 0777) != 0)
		fail_errno("mkdir");
	int fd = open_child(parent, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fail_errno("open");
	finish_open(fd, entry);
	close(fd);
	remember_times(entry);
}

static void put_file(int parent, const char *name, struct entry *entry)
{
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0700);
	if (fd < 0)
		fail_errno("open");
	entry_data(fd, entry);
	finish_open(fd, entry);
	struct timespec at[2];
	entry_times(entry, at);
	if (futimens(fd, at) != 0)
		fail_errno("chtimes");
	if (close(fd) != 0)
		fail_errno("close");
}

/* The part of `path` before its last slash goes to `directory`, the rest is returned. */
static const char *split(const char *path, char directory[MAX_PATH_BYTES])
{
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;
	memcpy(directory, path, size);
	directory[size] = 0;
	return slash ? slash + 1 : path;
}

static void put_hard_link(const char *directory, const char *name, struct entry *entry)
{
	static char target_directory[MAX_PATH_BYTES];
	check_inside(entry->link, "hardlink", entry->link);
	clean(entry->link);
	const char *target = split(entry->link, target_directory);
	int from = dup(directory_of(target_directory));
	if (from < 0)
		fail_errno("dup");
	if (linkat(from, target, directory_of(directory), name, 0) != 0)
		fail("link %s/%s %s/%s: %s", base, entry->link, base, entry->path,
		     errno == ENOENT ? "no such file or directory" : strerror(errno));
	close(from);
}

static bool put_node(int parent, const char *name, const struct entry *entry)
{
	mode_t kind = entry->type == '3' ? S_IFCHR : entry->type == '4' ? S_IFBLK : S_IFIFO;
	dev_t device = kind == S_IFIFO ? 0 : makedev(entry->major, entry->minor);
	/* Number 0, 0 is how overlayfs marks what is deleted. */
	if (kind == S_IFCHR && device == 0)
		return false;
	if (mknodat(parent, name, kind | (entry->mode & 0777), device) == 0)
		return true;
	/* Inside a user namespace there are no devices to be made, and those made could not be opened. */
	if (errno == EPERM && kind != S_IFIFO)
		return false;
	fail_errno("mknod");
}

static void put_special(int parent, const char *name, const struct entry *entry)
{
	if (entry->type == '2') {
		if (symlinkat(entry->link, parent, name) != 0)
			fail_errno("symlink");
	} else if (!put_node(parent, name, entry)) {
		return;
	}
	if (fchownat(parent, name, owner_uid(entry), owner_gid(entry), AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("lchown");
	if (entry->type != '2' && fchmodat(parent, name, entry->mode, 0) != 0)
		fail_errno("chmod");
	struct timespec at[2];
	entry_times(entry, at);
	if (utimensat(parent, name, at, AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("chtimes");
}

static void put_entry(struct entry *entry)
{
	static char directory[MAX_PATH_BYTES];
	check_inside(entry->path, NULL, NULL);
	clean(entry->path);
	if (!strchr("0123456", entry->type))
		fail("unhandled tar header type %d", entry->type);
	const char *name = split(entry->path, directory);
	if (*name == 0) {
		/* The directory itself stays as it is, unless it is to become what the archive says. */
		if (entry->type == '5' && options->describe) {
			finish_open(directory_of(directory), entry);
			remember_times(entry);
		}
		if (entry->type == '5')
			return;
		fail("cannot overwrite directory \"%s\" with non-directory", *base ? base : "/");
	}
	bool exists;
	int parent = directory_of(directory);
	check_kind(parent, name, entry, &exists);
	switch (entry->type) {
	case '0':
		put_file(parent, name, entry);
		break;
	case '1':
		put_hard_link(directory, name, entry);
		break;
	case '5':
		put_directory(parent, name, entry, exists);
		break;
	default:
		put_special(parent, name, entry);
	}
}

static void set_directory_times(void)
{
	static char directory[MAX_PATH_BYTES];
	current_entry = NULL;
	for (size_t i = times_count; i-- > 0;) {
		const char *name = split(times[i].path, directory);
		/* Something else may have taken the name, or the directory may be gone. */
		if (utimensat(directory_of(directory), *name ? name : ".", times[i].times, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
			fail_errno("chtimes");
	}
}

void put(int root_fd, const char *path, const struct put_options *put_options)
{
	static struct entry entry;
	static char resolved[MAX_PATH_BYTES];
	root = root_fd;
	options = put_options;
	follow_links(root, path, resolved);
	strcpy(base, strcmp(resolved, "/") == 0 ? "" : resolved);
	int fd = open_inside(root, resolved, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fail_errno(resolved);
	if (faccessat(fd, ".", W_OK, AT_EACCESS) != 0 && errno == EROFS) {
		current_entry = resolved;
		fail_errno("read-only");
	}
	close(fd);
	input_without_digests();
	input_start(ARCHIVE_IN, UINT64_MAX);
	while (header_next(&entry)) {
		uint64_t size = entry.size;
		put_entry(&entry);
		if (entry.type != '0')
			input_skip(size);
		input_padding(size);
	}
	set_directory_times();
	const unsigned char *rest;
	while (input_next(&rest, 1 << 20) > 0)
		;
	printf("{\"done\":true}\n");
}
