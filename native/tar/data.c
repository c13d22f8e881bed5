#include "tar.h"

#include <errno.h>
#include <unistd.h>

void write_all(int fd, const unsigned char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("write");
		data += n;
		size -= (size_t)n;
	}
}

static void copy_data(int fd, uint64_t size)
{
	while (size > 0) {
		const unsigned char *data;
		size_t n = input_next(&data, size > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)size);
		if (n == 0)
			fail("unexpected EOF");
		write_all(fd, data, n);
		size -= n;
	}
}

static void copy_sparse(int fd, const struct entry *entry)
{
	for (size_t i = 0; i < entry->extent_count; i++) {
		if (lseek(fd, (off_t)entry->extents[i].offset, SEEK_SET) < 0)
			fail_errno("lseek");
		copy_data(fd, entry->extents[i].size);
	}
	if (ftruncate(fd, (off_t)entry->real_size) != 0)
		fail_errno("ftruncate");
}

void entry_data(int fd, const struct entry *entry)
{
	if (entry->sparse)
		copy_sparse(fd, entry);
	else
		copy_data(fd, entry->size);
}
