/* Headers: v7, ustar and GNU, with the long names of GNU and the extended headers of pax. */
#include "tar.h"

#include <stdlib.h>
#include <string.h>

/* Octal text, or with the top bit set a big-endian number. */
uint64_t header_number(const unsigned char *field, size_t size)
{
	uint64_t value = 0;
	if (field[0] & 0x80) {
		if (field[0] & 0x40)
			return 0; /* negative: only times are, and those are clamped */
		for (size_t i = 0; i < size; i++) {
			if (value >> 55)
				fail("invalid tar header");
			value = value << 8 | (i == 0 ? field[0] & 0x3f : field[i]);
		}
		return value;
	}
	size_t i = 0;
	while (i < size && (field[i] == ' ' || field[i] == 0))
		i++;
	for (; i < size && field[i] != ' ' && field[i] != 0; i++) {
		if (field[i] < '0' || field[i] > '7' || value >> 60)
			fail("invalid tar header");
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	return value;
}

static void check_sum(const unsigned char *header)
{
	/* Some old programs summed signed characters. */
	uint64_t expected = header_number(header + 148, 8), sum = 0;
	int64_t signed_sum = 0;
	for (int i = 0; i < BLOCK; i++) {
		unsigned char c = i >= 148 && i < 156 ? ' ' : header[i];
		sum += c;
		signed_sum += (signed char)c;
	}
	if (sum != expected && (uint64_t)signed_sum != expected)
		fail("invalid tar header");
}

static void field(char *out, const unsigned char *header, size_t offset, size_t size)
{
	const unsigned char *text = header + offset;
	size_t length = strnlen((const char *)text, size);
	memcpy(out, text, length);
	out[length] = 0;
}

static bool is_zero(const unsigned char *block)
{
	for (int i = 0; i < BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* The data of a header that describes the next one. */
static char *read_special(uint64_t size)
{
	if (size > MAX_RECORDS)
		fail("a header is larger than %d bytes", MAX_RECORDS);
	char *data = must_alloc((size_t)size + 1);
	if (size > 0 && !input_exact(data, (size_t)size))
		fail("unexpected EOF");
	input_skip(-size & (BLOCK - 1));
	data[size] = 0;
	return data;
}

static void long_name(char *out, bool *has, uint64_t size)
{
	char *data = read_special(size);
	if (strlen(data) >= MAX_PATH_BYTES)
		fail("a path is longer than %d bytes", MAX_PATH_BYTES - 1);
	strcpy(out, data);
	*has = true;
	free(data);
}

static void names(struct entry *entry, const unsigned char *header)
{
	bool ustar = memcmp(header + 257, "ustar\0", 6) == 0;
	char prefix[156] = "", name[101];
	field(name, header, 0, 100);
	if (ustar)
		/* In star's variant times follow a shorter prefix. */
		field(prefix, header, 345, memcmp(header + 508, "tar", 4) == 0 ? 131 : 155);
	strcpy(entry->path, prefix);
	if (prefix[0])
		strcat(entry->path, "/");
	strcat(entry->path, name);
	field(entry->link, header, 157, 100);
}

static void plain_fields(struct entry *entry, const unsigned char *header)
{
	entry->type = (char)header[156];
	entry->size = header_number(header + 124, 12);
	entry->mode = (uint32_t)(header_number(header + 100, 8) & 07777);
	uint64_t uid = header_number(header + 108, 8), gid = header_number(header + 116, 8);
	if (uid >= UINT32_MAX || gid >= UINT32_MAX)
		fail("an owner's id is out of range");
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	entry->mtime = (int64_t)header_number(header + 136, 12);
	entry->mtime_ns = 0;
	entry->major = entry->minor = 0;
	if (entry->type == '3' || entry->type == '4') {
		entry->major = (uint32_t)header_number(header + 329, 8);
		entry->minor = (uint32_t)header_number(header + 337, 8);
	}
	if (entry->size > INT64_MAX)
		fail("invalid tar header");
}

static bool has_data(char type)
{
	return type == '0' || type == 0 || type == '7' || type == 'S';
}

static void apply(struct entry *entry, struct pax *pax)
{
	if (pax->has_path)
		strcpy(entry->path, pax->path);
	if (pax->has_link)
		strcpy(entry->link, pax->link);
	if (pax->has_size)
		entry->size = pax->size;
	if (pax->has_uid)
		entry->uid = pax->uid;
	if (pax->has_gid)
		entry->gid = pax->gid;
	if (pax->has_mtime)
		entry->mtime = pax->mtime, entry->mtime_ns = pax->mtime_ns;
	entry->atime = pax->has_atime ? pax->atime : entry->mtime;
	entry->atime_ns = pax->has_atime ? pax->atime_ns : entry->mtime_ns;
	memcpy(entry->xattrs, pax->xattrs, sizeof pax->xattrs[0] * pax->xattr_count);
	entry->xattr_count = pax->xattr_count;
}

static void sparseness(struct entry *entry, struct pax *pax, const unsigned char *header)
{
	free(entry->extents);
	entry->extents = NULL;
	entry->extent_count = 0;
	entry->sparse = false;
	entry->real_size = entry->size;
	if (entry->type == 'S') {
		sparse_old_gnu(entry, header);
	} else if (pax->sparse_major >= 0 && has_data(entry->type)) {
		if (!pax->has_real_size || pax->sparse_major > 1)
			fail("unknown format of a sparse file");
		entry->sparse = true;
		entry->real_size = pax->real_size;
		if (pax->sparse_major == 1) {
			sparse_pax_1_0(entry);
		} else {
			entry->extents = pax->extents;
			entry->extent_count = pax->extent_count;
			pax->extents = NULL;
			pax->extent_count = 0;
		}
	}
	if (entry->sparse)
		sparse_check(entry);
}

bool header_next(struct entry *entry)
{
	static struct pax pax;
	unsigned char header[BLOCK];
	current_entry = NULL;
	pax_clear(&pax);
	for (;;) {
		if (!input_exact(header, BLOCK))
			return false;
		if (is_zero(header)) {
			if (input_exact(header, BLOCK) && !is_zero(header))
				fail("invalid tar header");
			return false;
		}
		check_sum(header);
		uint64_t size = header_number(header + 124, 12);
		switch (header[156]) {
		case 'x':
		case 'X': {
			char *records = read_special(size);
			pax_parse(&pax, records, (size_t)size);
			free(records);
			continue;
		}
		case 'g': /* speaks of the whole archive: comments, in practice */
			free(read_special(size));
			continue;
		case 'L':
			long_name(pax.path, &pax.has_path, size);
			continue;
		case 'K':
			long_name(pax.link, &pax.has_link, size);
			continue;
		default:
			break;
		}
		plain_fields(entry, header);
		names(entry, header);
		apply(entry, &pax);
		current_entry = entry->path;
		if (!has_data(entry->type))
			entry->size = 0;
		sparseness(entry, &pax, header);
		size_t length = strlen(entry->path);
		if (entry->type == '0' || entry->type == 0 || entry->type == '7')
			entry->type = length > 0 && entry->path[length - 1] == '/' ? '5' : '0';
		if (entry->type == 'S')
			entry->type = '0';
		return true;
	}
}
