/* How many bytes the files below directories have: lengths, as Docker counts, each inode once. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static uint64_t tree_size(int directory, dev_t dev)
{
	uint64_t total = 0;
	int readable = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable < 0 && errno == ENOENT) /* removed meanwhile */
		return 0;
	if (readable < 0)
		fail_errno("open");
	struct names names = read_names(readable);
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;
		if (fstatat(directory, names.list[i], &st, AT_SYMLINK_NOFOLLOW) != 0) {
			if (errno == ENOENT)
				continue;
			fail_errno("stat");
		}
		if (S_ISDIR(st.st_mode)) {
			int child = open_child(directory, names.list[i], O_RDONLY | O_DIRECTORY);
			/* It may have been removed or replaced just now; a mount on it is not of this tree. */
			if (child < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
				fail_errno("open");
			if (child >= 0 && st.st_dev == dev)
				total += tree_size(child, dev);
			if (child >= 0)
				close(child);
		} else if (st.st_nlink <= 1 || !seen_before(st.st_dev, st.st_ino, "")) {
			total += (uint64_t)st.st_size;
		}
	}
	free_names(&names);
	return total;
}

void usage(char **directories)
{
	raise_descriptor_limit();
	for (int i = 0; directories[i]; i++) {
		struct stat st;
		int fd = open(directories[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) != 0)
			fail_errno(directories[i]);
		printf("{\"bytes\":%" PRIu64 "}\n", tree_size(fd, st.st_dev));
		close(fd);
	}
}
