/* A later entry of an archive may replace a file that the recipe speaks of. Its contents are kept in a file
 * beside the recipe then, with a table at the end of which part of the recipe they are:
 *
 *   contents                     holes left out
 *   u64 first, count, base       so many parts of the recipe, counted from 0, lie from here on
 *   u64 number of those
 *
 * Files are known by their inodes, so that it does not matter by which name or in which directory one goes. */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Offsets stay far below what file systems take. */
#define MAX_KEPT (1ull << 40)
/* Bytes of the paths of files that were reached through links. */
#define MAX_THROUGH (8u << 20)

static int kept = -1;
static uint64_t kept_end;

/* The files that were placed, in the order of the archive; what is kept already has inode 0. */
static struct note {
	uint64_t inode, first;
} *notes;
static size_t notes_count;

/* Positions in `notes`, plus one, by inode: made when something is replaced for the first time. */
static uint32_t *table;
static size_t table_size;

static struct replaced_part *moved;
static size_t moved_count;

/* Files whose path leads through a symbolic link, which may be replaced itself. */
static char **through;
static size_t through_count, through_bytes;

static void *grow(void *array, size_t count, size_t size)
{
	return (count & (count - 1)) == 0 ? must_grow(array, size * (count ? count * 2 : 1)) : array;
}

static void enter(size_t position)
{
	size_t slot = notes[position].inode * 0x9e3779b97f4a7c15u & (table_size - 1);
	while (table[slot])
		slot = (slot + 1) & (table_size - 1);
	table[slot] = (uint32_t)position + 1;
}

static struct note *find(uint64_t inode)
{
	if (notes_count * 2 > table_size) {
		free(table);
		for (table_size = 1024; table_size < notes_count * 4; table_size *= 2)
			;
		table = must_alloc(table_size * sizeof *table);
		memset(table, 0, table_size * sizeof *table);
		for (size_t i = 0; i < notes_count; i++)
			if (notes[i].inode)
				enter(i);
	}
	for (size_t slot = inode * 0x9e3779b97f4a7c15u & (table_size - 1); table[slot]; slot = (slot + 1) & (table_size - 1))
		if (notes[table[slot] - 1].inode == inode)
			return &notes[table[slot] - 1];
	return NULL;
}

static void copy_range(int from, uint64_t start, uint64_t end)
{
	static unsigned char buffer[256 * 1024];
	if (lseek(from, (off_t)start, SEEK_SET) < 0 || lseek(kept, (off_t)(kept_end + start), SEEK_SET) < 0)
		fail_errno("lseek");
	while (start < end) {
		ssize_t n = read(from, buffer, end - start < sizeof buffer ? (size_t)(end - start) : sizeof buffer);
		if (n <= 0)
			fail("what is replaced cannot be read");
		write_all(kept, buffer, (size_t)n);
		start += (uint64_t)n;
	}
}

static void keep(int directory, const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, .resolve = resolve };
	struct stat st;
	int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
	if (fd < 0 || fstat(fd, &st) != 0)
		fail_errno("open of what is replaced");
	struct note *note = S_ISREG(st.st_mode) && st.st_size > 0 ? find(st.st_ino) : NULL;
	uint64_t size = (uint64_t)st.st_size;
	if (note && (size > MAX_KEPT || kept_end > MAX_KEPT - size)) {
		recipe_spoil();
	} else if (note) {
		off_t data = 0, hole = 0;
		while ((data = lseek(fd, hole, SEEK_DATA)) >= 0 && (hole = lseek(fd, data, SEEK_HOLE)) >= 0)
			copy_range(fd, (uint64_t)data, (uint64_t)hole);
		moved = grow(moved, moved_count, sizeof *moved);
		uint64_t next = note + 1 < notes + notes_count ? note[1].first : recipe_parts();
		moved[moved_count++] = (struct replaced_part){ note->first, next - note->first, kept_end };
		kept_end += size;
		note->inode = 0;
	}
	close(fd);
}

/* No recipe finds by its path any more what lies behind a link that goes. */
static void keep_through(void)
{
	for (size_t i = 0; i < through_count; i++) {
		struct stat st;
		struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
		int fd = (int)syscall(SYS_openat2, tree_root_fd(), through[i], &how, sizeof how);
		/* It may have been replaced itself, and is kept then. */
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			keep(tree_root_fd(), through[i], RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0)
			close(fd);
		free(through[i]);
	}
	through_count = through_bytes = 0;
}

static void keep_named(int directory, const char *name)
{
	struct stat st;
	if (notes_count > 0 && fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		keep(directory, name, 0);
}

void replaced_begin(int fd)
{
	kept = fd;
	before_unlink = keep_named;
}

void replaced_note(int fd, const struct entry *entry, uint64_t first)
{
	struct stat st;
	if (kept < 0 || first == recipe_parts())
		return;
	if (fstat(fd, &st) != 0)
		fail_errno("fstat");
	notes = grow(notes, notes_count, sizeof *notes);
	notes[notes_count++] = (struct note){ st.st_ino, first };
	if (table_size > 0 && notes_count * 2 <= table_size)
		enter(notes_count - 1);
	if (!led_through_link())
		return;
	if ((through_bytes += strlen(entry->path)) > MAX_THROUGH)
		fail("the archive has too many files behind links");
	through = grow(through, through_count, sizeof *through);
	if (!(through[through_count++] = strdup(entry->path)))
		fail("out of memory");
}

void replaced_keep(int directory, const char *name)
{
	struct stat st;
	if (kept < 0) {
		recipe_spoil();
		return;
	}
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)))
		keep_through();
	keep_named(directory, name);
}

bool replaced_end(void)
{
	uint64_t count = moved_count;
	if (count == 0)
		return false;
	if (lseek(kept, (off_t)kept_end, SEEK_SET) < 0)
		fail_errno("lseek");
	write_all(kept, (const unsigned char *)moved, sizeof *moved * moved_count);
	write_all(kept, (const unsigned char *)&count, sizeof count);
	return true;
}
