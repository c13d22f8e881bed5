/* Feeds random headers to the parser under AddressSanitizer and UndefinedBehaviorSanitizer: `make fuzz`
 * for a minute, `make test` for a moment. Input and failure are replaced, the parser is the real one. */
#include "tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *current_entry;
static jmp_buf failed;
static const unsigned char *rest;
static size_t rest_size;

void fail(const char *format, ...)
{
	(void)format;
	longjmp(failed, 1);
}

void fail_errno(const char *what)
{
	(void)what;
	longjmp(failed, 1);
}

void *must_grow(void *pointer, size_t size)
{
	return realloc(pointer, size);
}

void *must_alloc(size_t size)
{
	return malloc(size);
}

bool input_exact(void *buffer, size_t size)
{
	if (rest_size == 0)
		return false;
	if (rest_size < size)
		longjmp(failed, 1);
	memcpy(buffer, rest, size);
	rest += size;
	rest_size -= size;
	return true;
}

void input_skip(uint64_t size)
{
	if (rest_size < size)
		longjmp(failed, 1);
	rest += size;
	rest_size -= size;
}

void input_padding(uint64_t size)
{
	uint64_t padding = -size & (BLOCK - 1);
	input_skip(padding < rest_size ? padding : rest_size);
}

/* Random bytes never have the right sum, so it is put in where a header looks like one. */
static void correct_sums(unsigned char *data, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
		unsigned sum = 0;
		memset(data + at + 148, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += data[at + i];
		for (int digit = 5; digit >= 0; digit--, sum >>= 3)
			data[at + 148 + (size_t)digit] = (unsigned char)('0' + (sum & 7));
		data[at + 154] = 0;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct entry entry;
	unsigned char *copy = malloc(size + 1);
	memcpy(copy, data, size);
	if (size > 0 && (data[0] & 1))
		correct_sums(copy, size);
	rest = copy;
	rest_size = size;
	if (setjmp(failed) == 0)
		while (header_next(&entry)) {
			clean_path(entry.path);
			clean_path(entry.link);
			input_skip(entry.size);
			input_padding(entry.size);
		}
	free(copy);
	return 0;
}
