/* A directory of somebody's that is used where it is: what is in it by what stat tells, without reading
 * contents, and the digests of the files that are asked for. Standard input has words with a zero byte after
 * each: for `scan` the directories that nobody looks into, an absolute path or a name at any; for `digest`
 * paths. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[MAX_PATH_BYTES];
static char **pruned;
static size_t pruned_count;

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_pruned(void)
{
	char *word = NULL;
	size_t capacity = 0;
	while (getdelim(&word, &capacity, 0, stdin) > 0) {
		if ((pruned_count & (pruned_count - 1)) == 0)
			pruned = must_grow(pruned, sizeof *pruned * (pruned_count ? pruned_count * 2 : 1));
		if (!(pruned[pruned_count++] = strdup(word)))
			fail("out of memory");
	}
	free(word);
	if (pruned_count > 1)
		qsort(pruned, pruned_count, sizeof *pruned, by_text);
}

static bool is_pruned(const char *name)
{
	const char *whole = path;
	return pruned_count > 0 && (bsearch(&whole, pruned, pruned_count, sizeof *pruned, by_text) ||
				    bsearch(&name, pruned, pruned_count, sizeof *pruned, by_text));
}

/* Changes whenever the file does; its change time is first. */
static void put_identity(const struct stat *st)
{
	printf(",\"identity\":\"%012" PRId64 ".%09ld %" PRId64 ".%09ld %" PRIu64 " %" PRIu64 " %" PRId64 "\"",
	       (int64_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec, (int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
	       (uint64_t)st->st_dev, (uint64_t)st->st_ino, (int64_t)st->st_size);
}

static void put_entry(int directory, const char *name, const struct stat *st)
{
	printf("{\"path\":");
	put_json_string(path);
	put_kind(directory, name, st);
	put_identity(st);
	puts("}");
}

static void scan_child(int directory, const char *name)
{
	struct stat st;
	current_entry = path;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno == ENOENT)
			return;
		fail_errno("lstat");
	}
	put_entry(directory, name, &st);
	if (!S_ISDIR(st.st_mode) || is_pruned(name))
		return;
	int fd = open_child(directory, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fail_errno("open");
	size_t length = strlen(path);
	struct names names = read_names(dup(fd));
	for (size_t i = 0; i < names.count; i++) {
		if (length + strlen(names.list[i]) + 2 > sizeof path)
			errno = ENAMETOOLONG, fail_errno("path");
		sprintf(path + length, "%s%s", path[length - 1] == '/' ? "" : "/", names.list[i]);
		scan_child(fd, names.list[i]);
		path[length] = 0;
	}
	free_names(&names);
	close(fd);
}

void scan(int root)
{
	read_pruned();
	strcpy(path, "/");
	scan_child(root, ".");
}

void digest_files(int root)
{
	char *word = NULL;
	size_t capacity = 0;
	while (getdelim(&word, &capacity, 0, stdin) > 0) {
		struct stat before, after;
		current_entry = word;
		int fd = open_inside(root, word, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 || fstat(fd, &before) != 0)
			fail_errno("open");
		printf("{\"path\":");
		put_json_string(word);
		put_contents(fd);
		if (fstat(fd, &after) != 0)
			fail_errno("stat");
		/* What was read belongs to neither of two. */
		if (before.st_ctim.tv_sec != after.st_ctim.tv_sec || before.st_ctim.tv_nsec != after.st_ctim.tv_nsec)
			fail("changed while it was read");
		put_identity(&after);
		puts("}");
		close(fd);
	}
	free(word);
}
