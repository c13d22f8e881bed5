/* What the caller reads: one JSON object on standard output. Bytes that are not ASCII are written as
 * \u00XX, one per byte, so that any file name survives. */
#include "tar.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *current_entry;
void (*after_failure)(void);
static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

void put_json_string(const char *text)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20 || *c > 0x7e)
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

void put_hex(const char *key, const unsigned char *digest)
{
	printf("\"%s\":\"", key);
	for (int i = 0; i < 32; i++)
		printf("%02x", digest[i]);
	putchar('"');
}

static _Noreturn void finish_error(const char *message, const char *code)
{
	/* Either thread may fail; the first has the word. */
	pthread_mutex_lock(&once);
	printf("{\"error\":");
	put_json_string(message);
	if (code) {
		printf(",\"code\":");
		put_json_string(code);
	}
	const char *entry = current_entry;
	if (entry) {
		printf(",\"entry\":");
		put_json_string(entry);
	}
	printf("}\n");
	fflush(stdout);
	if (after_failure)
		after_failure();
	_exit(1);
}

void fail(const char *format, ...)
{
	char message[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	finish_error(message, NULL);
}

void fail_errno(const char *what)
{
	int error = errno;
	char message[1024];
	const char *code = strerrorname_np(error);
	snprintf(message, sizeof message, "%s: %s", what, strerror(error));
	finish_error(message, code);
}

void *must_alloc(size_t size)
{
	return must_grow(NULL, size);
}

void *must_grow(void *pointer, size_t size)
{
	void *grown = realloc(pointer, size);
	if (!grown)
		fail("out of memory");
	return grown;
}
