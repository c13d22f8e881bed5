/* What an upper directory of overlayfs changes of the layers below it. One line each as it is found,
 * directories after what is in them; the caller sorts. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A path as the layers have it: the topmost that counts, and for a directory all that merge in it. */
struct lower {
	bool exists;
	struct stat st;
	size_t count;
	int *directories;
};

static size_t layer_count;
static char path[MAX_PATH_BYTES];

static bool has_mark(int fd, const char *name)
{
	char value;
	return fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
}

static bool is_opaque(int fd)
{
	return has_mark(fd, "user.overlay.opaque");
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static void close_lower(struct lower *lower)
{
	for (size_t i = 0; i < lower->count; i++)
		close(lower->directories[i]);
	free(lower->directories);
}

static struct lower find_lower(const struct lower *parent, const char *name)
{
	struct lower found = { .exists = false, .directories = must_alloc(layer_count * sizeof(int)) };
	for (size_t i = 0; i < parent->count; i++) {
		struct stat st;
		if (fstatat(parent->directories[i], name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			if (errno == ENOENT)
				continue;
			fail_errno("stat");
		}
		if (is_whiteout(&st) || (found.exists && !S_ISDIR(st.st_mode)))
			break;
		if (!found.exists) {
			found.exists = true;
			found.st = st;
		}
		if (!S_ISDIR(st.st_mode))
			break;
		int fd = open_child(parent->directories[i], name, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			fail_errno("open");
		found.directories[found.count++] = fd;
		if (is_opaque(fd))
			break;
	}
	return found;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && (a.tv_nsec == b.tv_nsec || a.tv_nsec == 0 || b.tv_nsec == 0);
}

static bool differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return true;
	if (S_ISDIR(a->st_mode))
		return false;
	return ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev) || a->st_size != b->st_size ||
	       !same_time(a->st_mtim, b->st_mtim);
}

/* `own`: the path itself, not only something below it. */
static void report(int kind, bool own)
{
	printf("{\"kind\":%d,\"own\":%s,\"path\":", kind, own ? "true" : "false");
	put_json_string(path);
	puts("}");
}

static size_t push(const char *name)
{
	size_t length = strlen(path), size = strlen(name);
	if (length + size + 2 > sizeof path)
		errno = ENAMETOOLONG, fail_errno("path");
	path[length] = '/';
	memcpy(path + length + 1, name, size + 1);
	return length;
}

static bool has_name(const struct names *names, const char *name)
{
	size_t low = 0, high = names->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(names->list[middle], name);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* What an opaque directory hides. */
static bool report_hidden(const struct names *own, const struct lower *lower)
{
	bool any = false;
	for (size_t i = 0; i < lower->count; i++) {
		struct names names = read_names(openat(lower->directories[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		for (size_t j = 0; j < names.count; j++) {
			if (has_name(own, names.list[j]))
				continue;
			struct lower found = find_lower(lower, names.list[j]);
			/* Several layers may have the name; the first of them speaks. */
			bool first = true;
			for (size_t k = 0; k < i && first; k++)
				first = faccessat(lower->directories[k], names.list[j], F_OK, AT_SYMLINK_NOFOLLOW) != 0;
			if (found.exists && first) {
				size_t length = push(names.list[j]);
				report(2, true);
				path[length] = 0;
				any = true;
			}
			close_lower(&found);
		}
		free_names(&names);
	}
	return any;
}

static bool compare_directory(int upper, const struct lower *lower);

static bool compare(int directory, const char *name, const struct lower *parent)
{
	struct stat st;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno == ENOENT)
			return false;
		fail_errno("stat");
	}
	struct lower lower = find_lower(parent, name);
	bool changed = false, own;
	if (is_whiteout(&st)) {
		if ((changed = lower.exists))
			report(2, true);
	} else {
		own = changed = !lower.exists || differs(&st, &lower.st);
		if (S_ISDIR(st.st_mode)) {
			int fd = open_child(directory, name, O_RDONLY | O_DIRECTORY);
			if (fd >= 0)
				changed |= compare_directory(fd, &lower);
			else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
				fail_errno("open");
		}
		if (changed)
			report(lower.exists ? 0 : 1, own);
	}
	close_lower(&lower);
	return changed;
}

/* Takes the descriptor over. Whether anything in it is changed. */
static bool compare_directory(int upper, const struct lower *lower)
{
	static const struct lower nothing;
	bool opaque = is_opaque(upper), any = false;
	int readable = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable < 0 && errno == ENOENT) { /* removed meanwhile */
		close(upper);
		return false;
	}
	if (readable < 0)
		fail_errno("open");
	struct names names = read_names(readable);
	for (size_t i = 0; i < names.count; i++) {
		size_t length = push(names.list[i]);
		any |= compare(upper, names.list[i], lower ? lower : &nothing);
		path[length] = 0;
	}
	if (opaque)
		any |= report_hidden(&names, lower);
	free_names(&names);
	close(upper);
	return any;
}

static int must_open(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_errno(directory);
	return fd;
}

void changes(const char *upper, char **layers)
{
	raise_descriptor_limit();
	while (layers[layer_count])
		layer_count++;
	struct lower root = { .exists = true, .directories = must_alloc(layer_count * sizeof(int) + 1) };
	for (size_t i = 0; i < layer_count; i++)
		root.directories[root.count++] = must_open(layers[i]);
	compare_directory(must_open(upper), &root);
	close_lower(&root);
}
