#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char path[MAX_PATH_BYTES]; /* in the archive */
static bool as_layer; /* overlayfs's marks of what is gone become those of image layers */

/* What is removed or replaced while it is read is left out, as in a file system a moment later. */
static bool vanished(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO || errno == EACCES || errno == ESTALE;
}

static struct out_entry describe(const struct stat *st, char type)
{
	seal_entry(S_ISLNK(st->st_mode) || type == '0' ? (uint64_t)st->st_size : 0);
	return (struct out_entry){
		.path = path,
		.link = "",
		.type = type,
		.mode = st->st_mode,
		.uid = id_from_host(st->st_uid),
		.gid = id_from_host(st->st_gid),
		.mtime = st->st_mtim.tv_sec,
	};
}

static bool is_hard_link(const struct stat *st, struct out_entry *entry)
{
	if (st->st_nlink < 2)
		return false;
	entry->link = seen_before(st->st_dev, st->st_ino, path);
	if (entry->link)
		return true;
	entry->link = "";
	return false;
}

/* The header promised so many bytes: a file that shrinks meanwhile is filled up with zeros. */
static void write_contents(int fd, uint64_t size)
{
	static unsigned char data[256 * 1024];
	if (seal_contents(fd, path, size)) {
		write_padding(size);
		return;
	}
	for (uint64_t left = size; left > 0;) {
		size_t want = left < sizeof data ? (size_t)left : sizeof data;
		ssize_t n = read(fd, data, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("read");
		if (n == 0) {
			n = (ssize_t)want;
			memset(data, 0, want);
		}
		write_out(data, (size_t)n);
		left -= (uint64_t)n;
	}
	write_padding(size);
}

static void pack_file(int directory, const char *name)
{
	unsigned char capability[64];
	struct stat st;
	int fd = open_child(directory, name, O_RDONLY);
	if (fd < 0 && vanished())
		return;
	if (fd < 0 || fstat(fd, &st) != 0)
		fail_errno("open");
	if (S_ISREG(st.st_mode)) {
		struct out_entry entry = describe(&st, '0');
		ssize_t size = fgetxattr(fd, "security.capability", capability, sizeof capability);
		if (size > 0) {
			entry.capability = capability;
			entry.capability_size = (size_t)size;
		}
		if (is_hard_link(&st, &entry)) {
			entry.type = '1';
			write_header(&entry);
		} else {
			entry.size = (uint64_t)st.st_size;
			write_header(&entry);
			write_contents(fd, entry.size);
		}
	}
	close(fd);
}

static void pack_symlink(int directory, const char *name, const struct stat *st)
{
	static char target[MAX_PATH_BYTES];
	struct out_entry entry = describe(st, '2');
	ssize_t size = readlinkat(directory, name, target, sizeof target - 1);
	if (size < 0 && (vanished() || errno == EINVAL))
		return;
	if (size < 0)
		fail_errno("readlink");
	target[size] = 0;
	entry.link = target;
	write_header(&entry);
}

static void pack_special(const struct stat *st)
{
	char type = S_ISCHR(st->st_mode) ? '3' : S_ISBLK(st->st_mode) ? '4' : '6';
	struct out_entry entry = describe(st, type);
	if (is_hard_link(st, &entry)) {
		entry.type = '1';
	} else if (type != '6') {
		entry.major = major(st->st_rdev);
		entry.minor = minor(st->st_rdev);
	}
	write_header(&entry);
}

static void pack_child(int directory, const char *name);

/* Takes the descriptor over. */
static void pack_contents(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && !vanished())
		fail_errno("open");
	struct names names = { NULL, 0 };
	if (fd >= 0)
		names = read_names(fd);
	size_t length = strlen(path);
	for (size_t i = 0; i < names.count; i++) {
		size_t size = strlen(names.list[i]);
		if (length + size + 2 > sizeof path)
			errno = ENAMETOOLONG, fail_errno("path");
		memcpy(path + length, names.list[i], size + 1);
		pack_child(directory, names.list[i]);
		path[length] = 0;
	}
	free_names(&names);
	close(directory);
}

/* An empty file that tells of something gone. */
static void pack_mark(const char *mark)
{
	const struct out_entry entry = { .path = mark, .link = "", .type = '0' };
	write_header(&entry);
}

static void pack_opaque(int fd)
{
	char value;
	if (fgetxattr(fd, "user.overlay.opaque", &value, 1) != 1 || value != 'y')
		return;
	size_t length = strlen(path);
	if (length + sizeof ".wh..wh..opq" > sizeof path)
		errno = ENAMETOOLONG, fail_errno("path");
	strcpy(path + length, ".wh..wh..opq");
	pack_mark(path);
	path[length] = 0;
}

static void pack_whiteout(void)
{
	static char mark[MAX_PATH_BYTES + 4];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) + 1 : 0;
	memcpy(mark, path, length);
	strcpy(mark + length, ".wh.");
	strcat(mark, path + length);
	pack_mark(mark);
}

/* Takes the descriptor over; `path` gets its slash here. */
static void pack_directory(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		fail_errno("stat");
	size_t length = strlen(path);
	if (length == 0 || path[length - 1] != '/')
		strcpy(path + length, "/");
	struct out_entry entry = describe(&st, '5');
	write_header(&entry);
	if (as_layer)
		pack_opaque(fd);
	pack_contents(fd);
	path[length] = 0;
}

static void pack_child(int directory, const char *name)
{
	struct stat st;
	current_entry = path;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (vanished())
			return;
		fail_errno("stat");
	}
	if (S_ISDIR(st.st_mode)) {
		int fd = open_child(directory, name, O_RDONLY | O_DIRECTORY);
		if (fd >= 0)
			pack_directory(fd);
		else if (!vanished())
			fail_errno("open");
	} else if (S_ISREG(st.st_mode)) {
		pack_file(directory, name);
	} else if (S_ISLNK(st.st_mode)) {
		pack_symlink(directory, name, &st);
	} else if (as_layer && S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		pack_whiteout();
	} else if (!S_ISSOCK(st.st_mode)) {
		/* Archives have no sockets. */
		pack_special(&st);
	}
}

/* The directory of a path's last component, which is not followed. */
static int open_parent(int root, const char *from, const char **name)
{
	static char parent[MAX_PATH_BYTES];
	const char *slash = strrchr(from, '/');
	size_t length = slash ? (size_t)(slash - from) : 0;
	memcpy(parent, from, length);
	parent[length] = 0;
	*name = slash ? slash + 1 : from;
	return open_inside(root, parent, O_RDONLY | O_DIRECTORY);
}

void pack_layer(int root)
{
	as_layer = true;
	pack(root, "/", "");
}

void pack(int root, const char *from, const char *name)
{
	struct stat st;
	if (strlen(from) >= MAX_PATH_BYTES || strlen(name) + 2 >= MAX_PATH_BYTES)
		errno = ENAMETOOLONG, fail_errno("path");
	strcpy(path, name);
	int fd = open_inside(root, from, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0)
		fail_errno("lstat");
	/* All that may be missing is opened before the answer begins. */
	const char *last = NULL;
	bool directory = S_ISDIR(st.st_mode);
	int opened = directory ? openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : open_parent(root, from, &last);
	if (opened < 0)
		fail_errno("open");
	print_stat_of(fd, root, from, *name ? name : from);
	close(fd);
	if (!directory) {
		pack_child(opened, last);
		close(opened);
	} else if (*name) {
		pack_directory(opened);
	} else {
		pack_contents(opened);
	}
	write_end();
}
