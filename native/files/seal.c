/* A directory that overlayfs wrote becomes a layer as it is: the archive that it would be is digested but
 * not kept, only a recipe by which it can be made. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "files.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

static bool sealing;
static SHA256_CTX hash;
static uint64_t plain_size, files_size, entries;

void seal(int root, int recipe)
{
	sealing = true;
	SHA256_Init(&hash);
	recipe_begin(recipe);
	pack_layer(root);
	if (!recipe_end())
		fail("the recipe is incomplete");
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_Final(digest, &hash);
	putchar('{');
	put_hex("diffId", digest);
	printf(",\"plainSize\":%" PRIu64 ",\"size\":%" PRIu64 ",\"entries\":%" PRIu64 "}\n", plain_size, files_size, entries);
}

bool seal_out(const void *data, size_t size)
{
	if (!sealing)
		return false;
	SHA256_Update(&hash, data, size);
	plain_size += size;
	recipe_literal(data, size);
	return true;
}

void seal_entry(uint64_t size)
{
	entries++;
	files_size += size;
}

bool seal_contents(int fd, const char *path, uint64_t size)
{
	static unsigned char data[256 * 1024];
	if (!sealing)
		return false;
	recipe_part(path, 0, size);
	for (uint64_t left = size; left > 0;) {
		ssize_t n = read(fd, data, left < sizeof data ? (size_t)left : sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("read");
		if (n == 0)
			fail("a file changed while it was read");
		SHA256_Update(&hash, data, (size_t)n);
		plain_size += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return true;
}
