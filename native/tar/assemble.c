/* Follows a recipe (recipe.c): the archive once more, from the files that came out of it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct replaced_part *moved;
static uint64_t moved_count;

static int by_first(const void *a, const void *b)
{
	const struct replaced_part *one = a, *other = b;
	return one->first < other->first ? -1 : one->first > other->first;
}

static void read_at(int fd, void *buffer, uint64_t size, uint64_t offset)
{
	for (unsigned char *at = buffer; size > 0;) {
		ssize_t n = pread(fd, at, (size_t)size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("what was replaced is damaged");
		at += n;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
}

static void read_table(int replaced)
{
	struct stat st;
	if (fstat(replaced, &st) != 0)
		fail_errno("fstat");
	uint64_t size = (uint64_t)st.st_size;
	if (size < sizeof moved_count)
		fail("what was replaced is damaged");
	read_at(replaced, &moved_count, sizeof moved_count, size -= sizeof moved_count);
	if (moved_count > size / sizeof *moved)
		fail("what was replaced is damaged");
	moved = must_alloc(sizeof *moved * (size_t)moved_count);
	read_at(replaced, moved, sizeof *moved * moved_count, size - sizeof *moved * moved_count);
	qsort(moved, (size_t)moved_count, sizeof *moved, by_first);
}

/* Where a part of the recipe is kept, when its file was replaced. */
static const struct replaced_part *find_moved(uint64_t part)
{
	static uint64_t next;
	while (next < moved_count && moved[next].first + moved[next].count <= part)
		next++;
	return next < moved_count && moved[next].first <= part ? &moved[next] : NULL;
}

static void copy_part(int fd, uint64_t offset, uint64_t size)
{
	while (size > 0) {
		size_t room;
		unsigned char *buffer = output_room(&room);
		ssize_t n = pread(fd, buffer, size < room ? (size_t)size : room, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("read of a layer's file");
		if (n == 0)
			fail("a layer's file is shorter than it was");
		output_filled((size_t)n);
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
}

static void copy_file_part(int root, const char *path, uint64_t offset, uint64_t size)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	if (fd < 0)
		fail_errno("open of a layer's file");
	copy_part(fd, offset, size);
	close(fd);
}

static void must_read(void *buffer, size_t size)
{
	if (size > 0 && !input_exact(buffer, size))
		fail("the recipe is damaged");
}

static void copy_literal(uint32_t left)
{
	while (left > 0) {
		size_t room;
		unsigned char *buffer = output_room(&room);
		size_t size = left < room ? left : room;
		must_read(buffer, size);
		output_filled(size);
		left -= (uint32_t)size;
	}
}

void assemble(int root, int replaced, int out, const char *expected)
{
	static char path[MAX_PATH_BYTES];
	uint64_t part = 0;
	char kind;
	if (replaced >= 0)
		read_table(replaced);
	output_start(out);
	input_without_digests();
	input_start(STDIN_FILENO, UINT64_MAX);
	while (input_exact(&kind, 1)) {
		if (kind == 'L') {
			uint32_t size;
			must_read(&size, sizeof size);
			copy_literal(size);
			continue;
		}
		uint64_t offset, size;
		uint16_t length;
		must_read(&offset, sizeof offset);
		must_read(&size, sizeof size);
		must_read(&length, sizeof length);
		if (kind != 'F' || length >= sizeof path)
			fail("the recipe is damaged");
		must_read(path, length);
		path[length] = 0;
		current_entry = path;
		const struct replaced_part *kept = find_moved(part++);
		if (kept)
			copy_part(replaced, kept->base + offset, size);
		else
			copy_file_part(root, path, offset, size);
	}
	output_finish(expected);
}
