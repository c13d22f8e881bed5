/* Copies files from one root into another, as COPY of a Dockerfile does. What to copy comes on standard
 * input, three words with a zero byte after each: an order, a source and a destination.
 *
 *   x PATH ""       leave this path of the source out, and what is below it
 *   d SOURCE DEST   the contents of a directory into a directory, which is made when missing
 *   f SOURCE DEST   this as DEST, or below DEST when that is a directory or ends with a slash
 *   m "" DEST       an empty directory */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct copy_options *options;
static int target_root;
/* Of the order that copies a directory: where it goes, and how much of the source's path is above that. */
static char target_base[MAX_PATH_BYTES];
static size_t source_base, order_number;
static char source_path[MAX_PATH_BYTES]; /* of what is copied now, for exclusions */
static char **excluded;
static size_t excluded_count;

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_excluded(void)
{
	const char *wanted = source_path;
	return excluded_count > 0 && bsearch(&wanted, excluded, excluded_count, sizeof *excluded, by_text);
}

static uint32_t owner(uint32_t id, uint32_t wanted)
{
	return id_to_host(options->chown ? wanted : id_from_host(id));
}

static struct timespec stamp(const struct stat *st)
{
	if (options->has_time && st->st_mtim.tv_sec > options->time)
		return (struct timespec){ .tv_sec = options->time };
	return st->st_mtim;
}

static void copy_times(int directory, const char *name, const struct stat *st)
{
	struct timespec times[2] = { stamp(st), stamp(st) };
	if (utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("utimens");
}

static mode_t mode_of(const struct stat *st)
{
	if (!options->chmod)
		return st->st_mode & 07777;
	mode_t mode = options->modes[S_ISDIR(st->st_mode)][st->st_mode & 07777];
	if (mode == NO_MODE)
		fail("changed since the build began");
	return mode;
}

static void finish(int fd, const struct stat *st, int from)
{
	if (fchown(fd, owner(st->st_uid, options->uid), owner(st->st_gid, options->gid)) != 0)
		fail_errno("chown");
	/* chown takes the setuid bits away, so the mode comes after it. */
	if (fchmod(fd, mode_of(st)) != 0)
		fail_errno("chmod");
	unsigned char capability[64];
	ssize_t size = S_ISREG(st->st_mode) ? fgetxattr(from, "security.capability", capability, sizeof capability) : -1;
	if (size > 0 && fsetxattr(fd, "security.capability", capability, (size_t)size, 0) != 0 && errno != ENOTSUP)
		fail_errno("security.capability");
}

static void copy_file(int from, int to, const char *name, const struct stat *st)
{
	static unsigned char data[256 * 1024];
	int fd = open_child(to, name, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0 && errno == EEXIST) {
		remove_existing(to, name);
		fd = open_child(to, name, O_WRONLY | O_CREAT | O_EXCL);
	}
	if (fd < 0)
		fail_errno("open");
	for (uint64_t left = (uint64_t)st->st_size; left > 0;) {
		ssize_t n = read(from, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("read");
		if (n == 0)
			break;
		write_all(fd, data, (size_t)n);
		left -= (uint64_t)n < left ? (uint64_t)n : left;
	}
	finish(fd, st, from);
	struct timespec times[2] = { stamp(st), stamp(st) };
	if (futimens(fd, times) != 0)
		fail_errno("utimens");
	if (close(fd) != 0)
		fail_errno("close");
}

/* Makes a file that this order has copied by another name before a link to that. False when it is none. */
static bool copy_hard_link(int to, const char *name, const struct stat *st)
{
	char path[MAX_PATH_BYTES];
	if (source_base == 0 || st->st_nlink < 2)
		return false;
	const char *below = source_path + source_base + (source_path[source_base] == '/');
	if ((size_t)snprintf(path, sizeof path, "%s/%s", target_base, below) >= sizeof path)
		return false;
	/* What other orders have copied may have been replaced since. */
	const char *first = seen_before(st->st_dev + ((dev_t)order_number << 40), st->st_ino, path);
	if (!first)
		return false;
	strcpy(path, first);
	char *slash = strrchr(path, '/');
	*slash = 0;
	int directory = open_inside(target_root, path, O_PATH | O_DIRECTORY);
	if (directory < 0)
		return false;
	remove_existing(to, name);
	bool done = linkat(directory, slash + 1, to, name, 0) == 0;
	close(directory);
	return done;
}

static void copy_link(int directory, const char *from, int to, const char *name, const struct stat *st)
{
	char target[MAX_PATH_BYTES];
	ssize_t size = readlinkat(directory, from, target, sizeof target - 1);
	if (size < 0)
		fail_errno("readlink");
	target[size] = 0;
	remove_existing(to, name);
	if (symlinkat(target, to, name) != 0)
		fail_errno("symlink");
	if (fchownat(to, name, owner(st->st_uid, options->uid), owner(st->st_gid, options->gid), AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("chown");
	copy_times(to, name, st);
}

static void copy_special(int to, const char *name, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode) || (S_ISCHR(st->st_mode) && st->st_rdev == 0))
		return;
	remove_existing(to, name);
	if (mknodat(to, name, st->st_mode, st->st_rdev) != 0)
		fail_errno("mknod");
	if (fchownat(to, name, owner(st->st_uid, options->uid), owner(st->st_gid, options->gid), AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchmodat(to, name, mode_of(st), 0) != 0)
		fail_errno("chown");
	copy_times(to, name, st);
}

static void copy_child(int from, const char *name, int to, const char *as);

static void check_unchanged(const struct stat *st)
{
	const struct timespec *changed = &st->st_ctim;
	if (options->has_limit && (changed->tv_sec > options->limit ||
				   (changed->tv_sec == options->limit && changed->tv_nsec > options->limit_nanoseconds)))
		fail("changed since the build began");
}

/* Takes the source's descriptor over. */
static void copy_contents(int from, int to)
{
	struct names names = read_names(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t length = strlen(source_path);
	for (size_t i = 0; i < names.count; i++) {
		if (length + strlen(names.list[i]) + 2 > sizeof source_path)
			errno = ENAMETOOLONG, fail_errno("path");
		sprintf(source_path + length, "%s%s", length > 0 && source_path[length - 1] == '/' ? "" : "/", names.list[i]);
		if (!is_excluded())
			copy_child(from, names.list[i], to, names.list[i]);
		source_path[length] = 0;
	}
	free_names(&names);
	/* Files may have come or gone meanwhile. */
	struct stat st;
	if (options->has_limit && fstat(from, &st) != 0)
		fail_errno("stat");
	if (options->has_limit)
		check_unchanged(&st);
	close(from);
}

static void copy_directory(int from, int to, const char *name, const struct stat *st)
{
	bool made = mkdirat(to, name, 0755) == 0;
	struct stat there;
	if (!made && (errno != EEXIST || fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) != 0))
		fail_errno("mkdir");
	if (!made && !S_ISDIR(there.st_mode)) {
		remove_existing(to, name);
		if (mkdirat(to, name, 0755) != 0)
			fail_errno("mkdir");
	}
	int fd = open_child(to, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fail_errno("open");
	copy_contents(from, fd);
	finish(fd, st, -1);
	close(fd);
	copy_times(to, name, st);
}

static void copy_child(int from, const char *name, int to, const char *as)
{
	struct stat st;
	current_entry = source_path;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("lstat");
	check_unchanged(&st);
	if (S_ISLNK(st.st_mode)) {
		copy_link(from, name, to, as, &st);
		return;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		copy_special(to, as, &st);
		return;
	}
	int fd = open_child(from, name, S_ISDIR(st.st_mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0)
		fail_errno("open");
	if (S_ISDIR(st.st_mode)) {
		copy_directory(fd, to, as, &st);
	} else {
		if (!copy_hard_link(to, as, &st))
			copy_file(fd, to, as, &st);
		/* It may have been written to meanwhile. */
		if (options->has_limit && fstat(fd, &st) != 0)
			fail_errno("stat");
		check_unchanged(&st);
		close(fd);
	}
}

/* Which of the directories that have to be made are the copied files' owner's. */
enum owned { NONE, LAST, ALL };

static int make_directories(int root, char *path, enum owned owned)
{
	int fd = open_inside(root, path, O_RDONLY | O_DIRECTORY);
	if (fd >= 0 || errno != ENOENT || *path == 0)
		return fd;
	char *slash = strrchr(path, '/');
	if (!slash)
		return -1;
	*slash = 0;
	int parent = make_directories(root, path, owned == ALL ? ALL : NONE);
	*slash = '/';
	if (parent < 0)
		return -1;
	if (mkdirat(parent, slash + 1, 0755) != 0)
		fail_errno("mkdir");
	fd = open_child(parent, slash + 1, O_RDONLY | O_DIRECTORY);
	close(parent);
	uint32_t uid = owned && options->chown ? options->uid : 0;
	uint32_t gid = owned && options->chown ? options->gid : 0;
	if (fd < 0 || fchown(fd, id_to_host(uid), id_to_host(gid)) != 0)
		fail_errno("chown");
	if (options->has_time) {
		struct timespec times[2] = { { .tv_sec = options->time }, { .tv_sec = options->time } };
		if (futimens(fd, times) != 0)
			fail_errno("utimens");
	}
	return fd;
}

static int open_destination(int root, const char *path, enum owned owned)
{
	char resolved[MAX_PATH_BYTES];
	follow_links(root, path, resolved);
	int fd = make_directories(root, strcmp(resolved, "/") == 0 ? (char[]){ "" } : resolved, owned);
	if (fd < 0) {
		current_entry = path;
		fail_errno("mkdir");
	}
	return fd;
}

static void order_contents(int source, int root, const char *from, const char *to)
{
	follow_links(source, from, source_path);
	int directory = open_inside(source, source_path, O_RDONLY | O_DIRECTORY);
	if (directory < 0)
		fail_errno("open");
	int fd = open_destination(root, to, LAST);
	follow_links(root, to, target_base);
	source_base = strlen(source_path);
	copy_contents(directory, fd);
	source_base = 0;
	close(fd);
}

static void order_one(int source, int root, const char *from, const char *to)
{
	char path[MAX_PATH_BYTES], resolved[MAX_PATH_BYTES];
	follow_links(source, from, source_path);
	strcpy(path, source_path);
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	int parent = open_inside(source, slash ? path : "", O_RDONLY | O_DIRECTORY);
	if (parent < 0)
		fail_errno("open");
	follow_links(root, to, resolved);
	int fd = open_inside(root, resolved, O_RDONLY | O_DIRECTORY);
	if (fd >= 0 || (*to && to[strlen(to) - 1] == '/')) {
		if (fd < 0)
			fd = open_destination(root, resolved, ALL);
		const char *own = strrchr(from, '/');
		copy_child(parent, name, fd, own ? own + 1 : from);
	} else {
		char *last = strrchr(resolved, '/');
		*last = 0;
		fd = open_destination(root, resolved, ALL);
		copy_child(parent, name, fd, last + 1);
	}
	close(fd);
	close(parent);
}

static void exclude(char *path)
{
	if ((excluded_count & (excluded_count - 1)) == 0)
		excluded = must_grow(excluded, sizeof *excluded * (excluded_count ? excluded_count * 2 : 1));
	if (!(excluded[excluded_count++] = strdup(path)))
		fail("out of memory");
}

static bool word(char **text, size_t *capacity)
{
	return getdelim(text, capacity, 0, stdin) > 0;
}

void copy(int source, int root, const struct copy_options *copy_options)
{
	static char *order, *from, *to;
	static size_t sizes[3];
	bool sorted = false;
	options = copy_options;
	target_root = root;
	while (word(&order, &sizes[0])) {
		if (!word(&from, &sizes[1]) || !word(&to, &sizes[2]))
			fail("an order is cut short");
		if (*order == 'x') {
			exclude(from);
			continue;
		}
		if (!sorted && excluded_count > 1)
			qsort(excluded, excluded_count, sizeof *excluded, by_text);
		sorted = true;
		current_entry = *from ? from : to;
		order_number++;
		if (*order == 'd')
			order_contents(source, root, from, to);
		else if (*order == 'f')
			order_one(source, root, from, to);
		else if (*order == 'm')
			close(open_destination(root, to, NONE));
		else
			fail("unknown order: %s", order);
	}
	puts("{\"done\":true}");
}
