#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names read_names(int directory)
{
	struct names names = { NULL, 0 };
	DIR *stream = fdopendir(directory);
	if (!stream)
		fail_errno("read of a directory");
	struct dirent *item;
	while ((errno = 0, item = readdir(stream))) {
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if ((names.count & (names.count - 1)) == 0)
			names.list = must_grow(names.list, sizeof *names.list * (names.count ? names.count * 2 : 1));
		if (!(names.list[names.count++] = strdup(item->d_name)))
			fail("out of memory");
	}
	if (errno != 0)
		fail_errno("read of a directory");
	closedir(stream);
	if (names.count > 1)
		qsort(names.list, names.count, sizeof *names.list, by_bytes);
	return names;
}

void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

int open_child(int directory, const char *name, int flags)
{
	/* Nothing is made here: O_CREAT would need a mode. */
	return openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void raise_descriptor_limit(void)
{
	/* A walk holds one descriptor for each level of a tree. */
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
