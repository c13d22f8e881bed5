/* An archive on its way out: written by one thread while another digests it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (256 * 1024)
#define CHUNKS 4

static struct chunk {
	unsigned char data[CHUNK];
	size_t size;
} ring[CHUNKS];
static unsigned filled, digested; /* counters; the difference is what waits */
static bool ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static SHA256_CTX hash;
static int target;

static void *digest_all(void *unused)
{
	pthread_mutex_lock(&lock);
	while (!ended || filled != digested) {
		if (filled == digested) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		struct chunk *chunk = &ring[digested % CHUNKS];
		pthread_mutex_unlock(&lock);
		SHA256_Update(&hash, chunk->data, chunk->size);
		pthread_mutex_lock(&lock);
		digested++;
		pthread_cond_signal(&changed);
	}
	pthread_mutex_unlock(&lock);
	return unused;
}

void output_start(int fd)
{
	target = fd;
	SHA256_Init(&hash);
	/* Fails where it is no pipe. */
	fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	if ((errno = pthread_create(&thread, NULL, digest_all, NULL)) != 0)
		fail_errno("pthread_create");
}

static void pass_on(void)
{
	struct chunk *chunk = &ring[filled % CHUNKS];
	pthread_mutex_lock(&lock);
	filled++;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	if (target >= 0)
		write_all(target, chunk->data, chunk->size);
	pthread_mutex_lock(&lock);
	while (filled - digested == CHUNKS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	ring[filled % CHUNKS].size = 0;
}

unsigned char *output_room(size_t *size)
{
	struct chunk *chunk = &ring[filled % CHUNKS];
	*size = CHUNK - chunk->size;
	return chunk->data + chunk->size;
}

void output_filled(size_t size)
{
	struct chunk *chunk = &ring[filled % CHUNKS];
	if ((chunk->size += size) == CHUNK)
		pass_on();
}

void output_finish(const char *expected)
{
	static unsigned char digest[SHA256_DIGEST_LENGTH];
	char hex[2 * sizeof digest + 1];
	if (ring[filled % CHUNKS].size > 0)
		pass_on();
	pthread_mutex_lock(&lock);
	ended = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	SHA256_Final(digest, &hash);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	current_entry = NULL;
	if (strcmp(hex, expected) != 0)
		fail("sha256:%s", hex);
}
