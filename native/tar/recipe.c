/* A recipe tells how to make the same archive again, byte for byte, from the files that came out of it:
 * everything but the files' data, in the order of the archive. Kept compressed by zstd.
 *
 *   'L' u32 size, bytes                        these bytes
 *   'F' u64 offset, u64 size, u16 length, path     this part of this file
 *
 * Numbers are in the machine's own order: a recipe stays with its layer. assemble.c follows it. */
#include "tar.h"

#include <string.h>
#include <zstd.h>

#define LITERAL (64 * 1024)

static int recipe = -1;
static ZSTD_CStream *stream;
static unsigned char literal[LITERAL];
static size_t literal_size;
static bool spoiled;
static uint64_t parts;

static void compress(const void *data, size_t size, ZSTD_EndDirective mode)
{
	static unsigned char packed[128 * 1024];
	ZSTD_inBuffer in = { data, size, 0 };
	size_t left;
	do {
		ZSTD_outBuffer out = { packed, sizeof packed, 0 };
		left = ZSTD_compressStream2(stream, &out, &in, mode);
		if (ZSTD_isError(left))
			fail("zstd: %s", ZSTD_getErrorName(left));
		write_all(recipe, packed, out.pos);
	} while (in.pos < in.size || (mode == ZSTD_e_end && left > 0));
}

static void flush_literal(void)
{
	uint32_t size = (uint32_t)literal_size;
	if (size == 0)
		return;
	compress("L", 1, ZSTD_e_continue);
	compress(&size, sizeof size, ZSTD_e_continue);
	compress(literal, size, ZSTD_e_continue);
	literal_size = 0;
}

static void seen(const unsigned char *data, size_t size)
{
	while (size > 0) {
		size_t part = LITERAL - literal_size < size ? LITERAL - literal_size : size;
		memcpy(literal + literal_size, data, part);
		literal_size += part;
		data += part;
		size -= part;
		if (literal_size == LITERAL)
			flush_literal();
	}
}

void recipe_begin(int fd)
{
	recipe = fd;
	if (!(stream = ZSTD_createCStream()))
		fail("out of memory");
	input_seen = seen;
}

static void part_of_file(const char *path, uint64_t offset, uint64_t size)
{
	uint16_t length = (uint16_t)strlen(path);
	if (size == 0)
		return;
	parts++;
	compress("F", 1, ZSTD_e_continue);
	compress(&offset, sizeof offset, ZSTD_e_continue);
	compress(&size, sizeof size, ZSTD_e_continue);
	compress(&length, sizeof length, ZSTD_e_continue);
	compress(path, length, ZSTD_e_continue);
}

void recipe_literal(const void *data, size_t size)
{
	seen(data, size);
}

void recipe_part(const char *path, uint64_t offset, uint64_t size)
{
	flush_literal();
	part_of_file(path, offset, size);
}

void recipe_file(const struct entry *entry)
{
	if (recipe < 0)
		return;
	flush_literal();
	if (!entry->sparse)
		part_of_file(entry->path, 0, entry->size);
	for (size_t i = 0; entry->sparse && i < entry->extent_count; i++)
		part_of_file(entry->path, entry->extents[i].offset, entry->extents[i].size);
	input_seen = NULL;
}

void recipe_file_end(void)
{
	if (recipe >= 0)
		input_seen = seen;
}

uint64_t recipe_parts(void)
{
	return parts;
}

void recipe_spoil(void)
{
	spoiled = true;
}

bool recipe_end(void)
{
	if (recipe < 0)
		return false;
	flush_literal();
	compress("", 0, ZSTD_e_end);
	return !spoiled;
}
