/* Files with holes, as GNU tar writes them: the old header of type S, and pax format 1.0. */
#include "tar.h"

#include <string.h>

static bool old_gnu_extents(struct entry *entry, const unsigned char *table, int count)
{
	for (int i = 0; i < count; i++, table += 24) {
		if (table[0] == 0)
			return false;
		add_extent(&entry->extents, &entry->extent_count, header_number(table, 12), header_number(table + 12, 12));
	}
	return true;
}

void sparse_old_gnu(struct entry *entry, const unsigned char *header)
{
	unsigned char block[BLOCK];
	old_gnu_extents(entry, header + 386, 4);
	bool extended = header[482] != 0;
	entry->real_size = header_number(header + 483, 12);
	while (extended) {
		if (!input_exact(block, BLOCK))
			fail("unexpected EOF");
		old_gnu_extents(entry, block, 21);
		extended = block[504] != 0;
	}
	entry->sparse = true;
}

/* Format 1.0 puts the map before the data: decimal numbers, one a line, padded to whole blocks. */
void sparse_pax_1_0(struct entry *entry)
{
	char block[BLOCK], line[24];
	size_t used = 0, position = BLOCK, index = 0;
	uint64_t total = 1, start = 0; /* numbers to read, the count first */
	while (index < total) {
		if (position == BLOCK) {
			if (entry->size < BLOCK || !input_exact(block, BLOCK))
				fail("unexpected EOF");
			entry->size -= BLOCK;
			position = 0;
		}
		char c = block[position++];
		if (c != '\n') {
			if (used == sizeof line - 1)
				fail("invalid sparse map");
			line[used++] = c;
			continue;
		}
		uint64_t number;
		if (!parse_decimal(line, used, &number) || number > INT64_MAX)
			fail("invalid sparse map");
		used = 0;
		if (index == 0) {
			if (number > MAX_SPARSE)
				fail("a sparse file has more than %d pieces", MAX_SPARSE);
			total = 1 + number * 2;
		} else if (index % 2) {
			start = number;
		} else {
			add_extent(&entry->extents, &entry->extent_count, start, number);
		}
		index++;
	}
}

void sparse_check(const struct entry *entry)
{
	uint64_t end = 0, sum = 0;
	for (size_t i = 0; i < entry->extent_count; i++) {
		const struct extent *extent = &entry->extents[i];
		uint64_t next;
		if (extent->offset < end || __builtin_add_overflow(extent->offset, extent->size, &next) || next > entry->real_size)
			fail("invalid sparse map");
		end = next;
		sum += extent->size;
	}
	if (sum != entry->size)
		fail("invalid sparse map");
	if (entry->real_size > MAX_FILE)
		fail("a sparse file is larger than %llu bytes", MAX_FILE);
}
