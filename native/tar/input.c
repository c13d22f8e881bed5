/* One thread reads, digests and decompresses into a ring of chunks; the main thread takes from it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tar.h"

#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (256 * 1024)
#define CHUNKS 8

static struct chunk {
	unsigned char data[CHUNK];
	size_t size;
} ring[CHUNKS];
static unsigned filled, taken; /* counters; the difference is what waits */
static bool ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int source;
static uint64_t limit;
static uint64_t packed_size, plain_size;
static unsigned char packed_digest[32], plain_digest[32];
static const char *packing_name = "plain";

void (*input_seen)(const unsigned char *data, size_t size);

static bool holding;  /* ring[taken % CHUNKS] is being read */
static size_t offset; /* within it */

static bool digesting = true;

void input_without_digests(void)
{
	digesting = false;
}

static void digest(SHA256_CTX *hash, const void *data, size_t size)
{
	if (digesting)
		SHA256_Update(hash, data, size);
}

static size_t read_some(unsigned char *buffer, size_t size)
{
	for (;;) {
		ssize_t n = read(source, buffer, size);
		if (n >= 0)
			return (size_t)n;
		if (errno != EINTR)
			fail_errno("read of the archive");
	}
}

static enum packing detect(const unsigned char *data, size_t size)
{
	if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b) {
		packing_name = "gzip";
		return GZIP;
	}
	/* A frame, or one of the sixteen kinds of skippable frame. */
	if (size >= 4 && data[1] == 0xb5 && data[2] == 0x2f && data[3] == 0xfd && data[0] == 0x28) {
		packing_name = "zstd";
		return ZSTD;
	}
	if (size >= 4 && (data[0] & 0xf0) == 0x50 && data[1] == 0x2a && data[2] == 0x4d && data[3] == 0x18) {
		packing_name = "zstd";
		return ZSTD;
	}
	return PLAIN;
}

static struct chunk *free_chunk(void)
{
	pthread_mutex_lock(&lock);
	while (filled - taken == CHUNKS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return &ring[filled % CHUNKS];
}

static void publish(bool end)
{
	pthread_mutex_lock(&lock);
	if (end)
		ended = true;
	else
		filled++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void *produce(void *unused)
{
	static unsigned char packed[CHUNK];
	SHA256_CTX packed_hash, plain_hash;
	SHA256_Init(&packed_hash);
	SHA256_Init(&plain_hash);
	size_t have = 0;
	/* The magic number may come in pieces. */
	while (have < 4) {
		size_t n = read_some(packed + have, CHUNK - have);
		if (n == 0)
			break;
		have += n;
	}
	enum packing packing = detect(packed, have);
	struct decompressor *d = decompressor_new(packing);
	/* Of an archive that comes uncompressed both digests are the same. */
	bool twice = packing != PLAIN;
	const unsigned char *in = packed;
	digest(&packed_hash, packed, have);
	packed_size = have;
	bool more = have > 0;
	struct chunk *chunk = NULL;
	while (more || have > 0) {
		if (have == 0) {
			have = read_some(packed, CHUNK);
			in = packed;
			more = have > 0;
			digest(&packed_hash, packed, have);
			packed_size += have;
		}
		for (;;) {
			if (!chunk) {
				chunk = free_chunk();
				chunk->size = 0;
			}
			size_t n = decompress(d, &in, &have, chunk->data + chunk->size, CHUNK - chunk->size);
			chunk->size += n;
			if (chunk->size == CHUNK) {
				plain_size += CHUNK;
				if (plain_size > limit)
					fail("the archive is larger than %llu bytes", (unsigned long long)limit);
				if (twice)
					digest(&plain_hash, chunk->data, CHUNK);
				publish(false);
				chunk = NULL;
			} else if (n == 0 || have == 0) {
				break;
			}
		}
	}
	if (chunk && chunk->size > 0) {
		plain_size += chunk->size;
		if (plain_size > limit)
			fail("the archive is larger than %llu bytes", (unsigned long long)limit);
		if (twice)
			digest(&plain_hash, chunk->data, chunk->size);
		publish(false);
	}
	if (!decompressor_done(d))
		fail("unexpected EOF");
	SHA256_Final(packed_digest, &packed_hash);
	if (twice)
		SHA256_Final(plain_digest, &plain_hash);
	else
		memcpy(plain_digest, packed_digest, sizeof plain_digest);
	publish(true);
	return unused;
}

void input_start(int fd, uint64_t max_bytes)
{
	source = fd;
	limit = max_bytes;
	pthread_t thread;
	if ((errno = pthread_create(&thread, NULL, produce, NULL)) != 0)
		fail_errno("pthread_create");
	pthread_detach(thread);
}

size_t input_next(const unsigned char **data, size_t want)
{
	if (!holding || offset == ring[taken % CHUNKS].size) {
		pthread_mutex_lock(&lock);
		if (holding)
			taken++;
		pthread_cond_broadcast(&changed);
		while (filled == taken && !ended)
			pthread_cond_wait(&changed, &lock);
		holding = filled != taken;
		pthread_mutex_unlock(&lock);
		offset = 0;
		if (!holding)
			return 0;
	}
	struct chunk *chunk = &ring[taken % CHUNKS];
	size_t size = chunk->size - offset;
	if (size > want)
		size = want;
	*data = chunk->data + offset;
	offset += size;
	if (input_seen)
		input_seen(*data, size);
	return size;
}

bool input_exact(void *buffer, size_t size)
{
	size_t have = 0;
	while (have < size) {
		const unsigned char *data;
		size_t n = input_next(&data, size - have);
		if (n == 0) {
			if (have == 0)
				return false;
			fail("unexpected EOF");
		}
		memcpy((unsigned char *)buffer + have, data, n);
		have += n;
	}
	return true;
}

void input_skip(uint64_t size)
{
	while (size > 0) {
		const unsigned char *data;
		size_t n = input_next(&data, size > CHUNK ? CHUNK : (size_t)size);
		if (n == 0)
			fail("unexpected EOF");
		size -= n;
	}
}

void input_padding(uint64_t size)
{
	uint64_t left = -size & (BLOCK - 1);
	const unsigned char *data;
	size_t n;
	while (left > 0 && (n = input_next(&data, (size_t)left)) > 0)
		left -= n;
}

void input_drain(void)
{
	const unsigned char *data;
	while (input_next(&data, CHUNK) > 0)
		;
}

void input_print(void)
{
	put_hex("packedDigest", packed_digest);
	putchar(',');
	put_hex("diffId", plain_digest);
	printf(",\"packing\":\"%s\",\"packedSize\":%llu,\"plainSize\":%llu", packing_name,
	       (unsigned long long)packed_size, (unsigned long long)plain_size);
}
