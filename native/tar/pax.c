/* Extended headers: records "<length> <key>=<value>\n", POSIX.1-2001 pax, and the keys that GNU tar and
 * libarchive's heirs added. */
#include "tar.h"

#include <stdlib.h>
#include <string.h>

void pax_clear(struct pax *pax)
{
	for (size_t i = 0; i < pax->xattr_count; i++) {
		free(pax->xattrs[i].name);
		free(pax->xattrs[i].value);
	}
	free(pax->extents);
	memset(pax, 0, sizeof *pax);
	pax->sparse_major = -1;
}

bool parse_decimal(const char *text, size_t size, uint64_t *value)
{
	uint64_t result = 0;
	if (size == 0)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (__builtin_mul_overflow(result, 10, &result) || __builtin_add_overflow(result, (uint64_t)(text[i] - '0'), &result))
			return false;
	}
	*value = result;
	return true;
}

void add_extent(struct extent **extents, size_t *count, uint64_t offset, uint64_t size)
{
	if (*count == MAX_SPARSE)
		fail("a sparse file has more than %d pieces", MAX_SPARSE);
	if ((*count & (*count - 1)) == 0)
		*extents = must_grow(*extents, sizeof **extents * (*count ? *count * 2 : 1));
	(*extents)[(*count)++] = (struct extent){ offset, size };
}

static uint64_t number(const char *value, size_t size)
{
	uint64_t result;
	if (!parse_decimal(value, size, &result) || result > INT64_MAX)
		fail("invalid number in an extended header");
	return result;
}

static uint32_t id_number(const char *value, size_t size)
{
	uint64_t result = number(value, size);
	if (result >= UINT32_MAX)
		fail("an owner's id is out of range");
	return (uint32_t)result;
}

static void path_value(char *out, const char *value, size_t size)
{
	if (size >= MAX_PATH_BYTES)
		fail("a path is longer than %d bytes", MAX_PATH_BYTES - 1);
	if (memchr(value, 0, size))
		fail("a path holds a zero byte");
	memcpy(out, value, size);
	out[size] = 0;
}

/* Seconds with a fraction, which may be negative. */
static void time_value(int64_t *seconds, uint32_t *nanoseconds, const char *value, size_t size)
{
	bool negative = size > 0 && value[0] == '-';
	if (negative)
		value++, size--;
	const char *dot = memchr(value, '.', size);
	size_t whole = dot ? (size_t)(dot - value) : size;
	*seconds = (int64_t)number(value, whole);
	*nanoseconds = 0;
	if (dot) {
		uint32_t unit = 100000000;
		for (const char *c = dot + 1; c < value + size; c++) {
			if (*c < '0' || *c > '9')
				fail("invalid time in an extended header");
			*nanoseconds += (uint32_t)(*c - '0') * unit;
			unit /= 10;
		}
	}
	if (negative) {
		/* No file system of ours keeps times before 1970. */
		*seconds = 0;
		*nanoseconds = 0;
	}
}

static void sparse_map(struct pax *pax, const char *value, size_t size)
{
	uint64_t start = 0;
	bool have_start = false;
	while (size > 0) {
		const char *comma = memchr(value, ',', size);
		size_t length = comma ? (size_t)(comma - value) : size;
		uint64_t n = number(value, length);
		if (have_start)
			add_extent(&pax->extents, &pax->extent_count, start, n);
		else
			start = n;
		have_start = !have_start;
		value += length + (comma ? 1 : 0);
		size -= length + (comma ? 1 : 0);
	}
	if (have_start)
		fail("invalid sparse map");
}

static void xattr_value(struct pax *pax, const char *name, const char *value, size_t size)
{
	for (size_t i = 0; i < pax->xattr_count; i++) {
		struct xattr *known = &pax->xattrs[i];
		if (strcmp(known->name, name) == 0) {
			known->value = must_grow(known->value, size + 1);
			memcpy(known->value, value, size);
			known->size = size;
			return;
		}
	}
	if (pax->xattr_count == MAX_XATTRS)
		fail("more than %d extended attributes", MAX_XATTRS);
	struct xattr *xattr = &pax->xattrs[pax->xattr_count++];
	xattr->name = strdup(name);
	xattr->value = must_alloc(size + 1);
	if (!xattr->name)
		fail("out of memory");
	memcpy(xattr->value, value, size);
	xattr->size = size;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void sparse_record(struct pax *pax, const char *key, const char *value, size_t size)
{
	if (strcmp(key, "major") == 0) {
		pax->sparse_major = (int)(number(value, size) & 0xff);
	} else if (strcmp(key, "minor") == 0) {
		pax->sparse_minor = (int)(number(value, size) & 0xff);
	} else if (strcmp(key, "name") == 0) {
		path_value(pax->path, value, size);
		pax->has_path = true;
	} else if (strcmp(key, "realsize") == 0 || strcmp(key, "size") == 0) {
		pax->real_size = number(value, size);
		pax->has_real_size = true;
		if (pax->sparse_major < 0)
			pax->sparse_major = 0;
	} else if (strcmp(key, "map") == 0) {
		sparse_map(pax, value, size);
	} else if (strcmp(key, "offset") == 0) {
		add_extent(&pax->extents, &pax->extent_count, number(value, size), 0);
		pax->pending_offset = true;
	} else if (strcmp(key, "numbytes") == 0) {
		if (!pax->pending_offset)
			fail("invalid sparse map");
		pax->extents[pax->extent_count - 1].size = number(value, size);
		pax->pending_offset = false;
	}
}

static void record(struct pax *pax, const char *key, const char *value, size_t size)
{
	/* An empty value takes an earlier one back. */
	if (strcmp(key, "path") == 0) {
		/* GNU.sparse.name is the true name; path then only says what older programs should do. */
		if (pax->sparse_major < 1) {
			path_value(pax->path, value, size);
			pax->has_path = size > 0;
		}
	} else if (strcmp(key, "linkpath") == 0) {
		path_value(pax->link, value, size);
		pax->has_link = size > 0;
	} else if (strcmp(key, "size") == 0) {
		pax->has_size = size > 0;
		pax->size = size ? number(value, size) : 0;
	} else if (strcmp(key, "uid") == 0) {
		pax->has_uid = size > 0;
		pax->uid = size ? id_number(value, size) : 0;
	} else if (strcmp(key, "gid") == 0) {
		pax->has_gid = size > 0;
		pax->gid = size ? id_number(value, size) : 0;
	} else if (strcmp(key, "mtime") == 0) {
		if ((pax->has_mtime = size > 0))
			time_value(&pax->mtime, &pax->mtime_ns, value, size);
	} else if (strcmp(key, "atime") == 0) {
		if ((pax->has_atime = size > 0))
			time_value(&pax->atime, &pax->atime_ns, value, size);
	} else if (begins(key, "SCHILY.xattr.")) {
		xattr_value(pax, key + strlen("SCHILY.xattr."), value, size);
	} else if (begins(key, "GNU.sparse.")) {
		sparse_record(pax, key + strlen("GNU.sparse."), value, size);
	}
}

void pax_parse(struct pax *pax, char *records, size_t size)
{
	while (size > 0) {
		char *space = memchr(records, ' ', size < 20 ? size : 20);
		uint64_t length;
		if (!space || !parse_decimal(records, (size_t)(space - records), &length) || length > size ||
		    length < (uint64_t)(space - records) + 3 || records[length - 1] != '\n')
			fail("invalid extended header");
		char *key = space + 1;
		char *end = records + length - 1;
		char *equals = memchr(key, '=', (size_t)(end - key));
		if (!equals || equals == key || memchr(key, 0, (size_t)(equals - key)))
			fail("invalid extended header");
		*equals = 0;
		*end = 0;
		record(pax, key, equals + 1, (size_t)(end - equals - 1));
		records += length;
		size -= length;
	}
	if (pax->pending_offset)
		fail("invalid sparse map");
}
