/* Headers of ustar, and of pax before those that do not fit. */
#include "files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define OCTAL_ID_MAX 07777777u
#define OCTAL_SIZE_MAX 077777777777ull

static unsigned char frame[FRAME_HEADER + BUFFER];
static unsigned char *const buffer = frame + FRAME_HEADER;
static size_t buffered;

static void flush_out(void)
{
	if (serving)
		send_frame(frame, 'A', buffered);
	for (size_t done = serving ? buffered : 0; done < buffered;) {
		ssize_t n = write(ARCHIVE_OUT, buffer + done, buffered - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("write of the archive");
		done += (size_t)n;
	}
	buffered = 0;
}

void write_out(const void *data, size_t size)
{
	if (seal_out(data, size))
		return;
	while (size > 0) {
		size_t n = BUFFER - buffered < size ? BUFFER - buffered : size;
		memcpy(buffer + buffered, data, n);
		buffered += n;
		data = (const char *)data + n;
		size -= n;
		if (buffered == BUFFER)
			flush_out();
	}
}

void write_padding(uint64_t size)
{
	static const char zeros[BLOCK];
	write_out(zeros, (size_t)(-size & (BLOCK - 1)));
}

static void octal(unsigned char *field, size_t size, uint64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%0*llo", (int)size - 1, (unsigned long long)value);
	memcpy(field, text, size);
}

static void put_block(const struct out_entry *entry, const char *path, uint64_t size)
{
	unsigned char block[BLOCK] = { 0 };
	memcpy(block, path, strnlen(path, 100));
	octal(block + 100, 8, entry->mode);
	octal(block + 108, 8, entry->uid <= OCTAL_ID_MAX ? entry->uid : 0);
	octal(block + 116, 8, entry->gid <= OCTAL_ID_MAX ? entry->gid : 0);
	octal(block + 124, 12, size <= OCTAL_SIZE_MAX ? size : 0);
	octal(block + 136, 12, entry->mtime >= 0 && (uint64_t)entry->mtime <= OCTAL_SIZE_MAX ? (uint64_t)entry->mtime : 0);
	block[156] = (unsigned char)entry->type;
	memcpy(block + 157, entry->link, strnlen(entry->link, 100));
	memcpy(block + 257, "ustar\00000", 8);
	if (entry->type == '3' || entry->type == '4') {
		octal(block + 329, 8, entry->major);
		octal(block + 337, 8, entry->minor);
	}
	memset(block + 148, ' ', 8);
	unsigned sum = 0;
	for (int i = 0; i < BLOCK; i++)
		sum += block[i];
	octal(block + 148, 7, sum);
	write_out(block, BLOCK);
}

static char records[4 * MAX_PATH_BYTES];
static size_t records_size;

/* "length key=value\n", where the length counts itself. */
static void record(const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, total = rest + 1;
	char digits[24];
	while (rest + (size_t)snprintf(digits, sizeof digits, "%zu", total) != total)
		total = rest + strlen(digits);
	if (records_size + total > sizeof records)
		errno = ENAMETOOLONG, fail_errno("path");
	records_size += (size_t)sprintf(records + records_size, "%zu %s=", total, key);
	memcpy(records + records_size, value, size);
	records_size += size;
	records[records_size++] = '\n';
}

static void number_record(const char *key, uint64_t value)
{
	char text[24];
	record(key, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)value));
}

static bool fits(const char *text)
{
	if (strlen(text) > 100)
		return false;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c > 0x7e)
			return false;
	return true;
}

void write_header(const struct out_entry *entry)
{
	records_size = 0;
	if (!fits(entry->path))
		record("path", entry->path, strlen(entry->path));
	if (!fits(entry->link))
		record("linkpath", entry->link, strlen(entry->link));
	if (entry->size > OCTAL_SIZE_MAX)
		number_record("size", entry->size);
	if (entry->uid > OCTAL_ID_MAX)
		number_record("uid", entry->uid);
	if (entry->gid > OCTAL_ID_MAX)
		number_record("gid", entry->gid);
	if (entry->mtime < 0) {
		char text[24];
		record("mtime", text, (size_t)snprintf(text, sizeof text, "%lld", (long long)entry->mtime));
	}
	if (entry->capability_size)
		record("SCHILY.xattr.security.capability", entry->capability, entry->capability_size);
	if (records_size > 0) {
		const struct out_entry pax = { .link = "", .type = 'x' };
		put_block(&pax, "PaxHeaders.0/x", records_size);
		write_out(records, records_size);
		write_padding(records_size);
	}
	put_block(entry, entry->path, entry->size);
}

void write_end(void)
{
	static const char zeros[2 * BLOCK];
	write_out(zeros, sizeof zeros);
	flush_out();
}
