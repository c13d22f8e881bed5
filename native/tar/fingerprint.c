/* What a tree looks like but for its files' contents: names, types, owners, modes, sizes, times, links and
 * attributes of everything in it, as one number. The sum of a digest of each, so that their order does not
 * matter and nothing has to be remembered. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static unsigned char sum[SHA256_DIGEST_LENGTH];
static bool gone; /* the tree is being removed */

/* Fails, unless what was looked for went away. */
static void look_gone(const char *what)
{
	if (errno != ENOENT)
		fail_errno(what);
	gone = true;
}

static void add(const unsigned char *digest)
{
	unsigned carry = 0;
	for (int i = SHA256_DIGEST_LENGTH - 1; i >= 0; i--) {
		carry += sum[i] + digest[i];
		sum[i] = (unsigned char)carry;
		carry >>= 8;
	}
}

/* Labels of a security module come and go with the machine. */
static bool counts(const char *name)
{
	return allowed_xattr(name) || strncmp(name, "user.overlay.", 13) == 0;
}

static void digest_xattrs(SHA256_CTX *hash, const char *name)
{
	static char names[65536], value[65536];
	unsigned char each[SHA256_DIGEST_LENGTH], all[SHA256_DIGEST_LENGTH] = { 0 };
	ssize_t size = llistxattr(name, names, sizeof names);
	if (size < 0 && errno != ENOTSUP)
		look_gone("llistxattr");
	for (char *key = names; key < names + size; key += strlen(key) + 1) {
		if (!counts(key))
			continue;
		ssize_t length = lgetxattr(name, key, value, sizeof value);
		if (length < 0) {
			look_gone("lgetxattr");
			return;
		}
		SHA256_CTX one;
		SHA256_Init(&one);
		SHA256_Update(&one, key, strlen(key) + 1);
		SHA256_Update(&one, value, (size_t)length);
		SHA256_Final(each, &one);
		for (size_t i = 0; i < sizeof all; i++)
			all[i] ^= each[i];
	}
	SHA256_Update(hash, all, sizeof all);
}

/* `path` is from the root of the tree, `name` from the current directory. */
static void take(const char *path, size_t length, const char *name, const struct stat *st)
{
	static char target[MAX_PATH_BYTES];
	uint64_t facts[] = {
		st->st_mode, st->st_uid, st->st_gid, S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
		S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
	};
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX hash;
	SHA256_Init(&hash);
	SHA256_Update(&hash, path, length);
	SHA256_Update(&hash, facts, sizeof facts);
	if (S_ISLNK(st->st_mode)) {
		ssize_t size = readlink(name, target, sizeof target);
		if (size < 0)
			look_gone("readlink");
		else
			SHA256_Update(&hash, target, (size_t)size);
	} else {
		digest_xattrs(&hash, name);
	}
	SHA256_Final(digest, &hash);
	add(digest);
}

static char *path;
static size_t path_room;

/* Room for `size` bytes and the zero after them. */
static void reserve(size_t size)
{
	while (path_room <= size)
		path = must_grow(path, path_room = path_room ? path_room * 2 : 8192);
}

/* The current directory, whose path has `length` bytes. Trees are deeper than there are descriptors, so none
 * stays open below another. */
static void walk(size_t length)
{
	char **directories = NULL;
	size_t count = 0;
	DIR *stream = opendir(".");
	if (!stream) {
		look_gone("open of a directory");
		return;
	}
	struct dirent *item;
	while (!gone && (errno = 0, item = readdir(stream))) {
		const char *name = item->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		struct stat st;
		if (lstat(name, &st) != 0) {
			look_gone("lstat");
			break;
		}
		size_t size = strlen(name);
		reserve(length + size + 1);
		path[length] = '/';
		memcpy(path + length + 1, name, size);
		take(path, length + 1 + size, name, &st);
		if (!S_ISDIR(st.st_mode))
			continue;
		if ((count & (count - 1)) == 0)
			directories = must_grow(directories, sizeof *directories * (count ? count * 2 : 1));
		if (!(directories[count++] = strdup(name)))
			fail("out of memory");
	}
	if (!gone && errno)
		look_gone("read of a directory");
	closedir(stream);
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(directories[i]);
		reserve(length + size + 1);
		path[length] = '/';
		memcpy(path + length + 1, directories[i], size);
		if (!gone && chdir(directories[i]) != 0)
			look_gone("chdir");
		free(directories[i]);
		if (gone)
			continue;
		walk(length + 1 + size);
		if (chdir("..") != 0)
			look_gone("chdir");
	}
	free(directories);
}

void fingerprint_print(const char *directory)
{
	struct stat st;
	memset(sum, 0, sizeof sum);
	gone = false;
	if (chdir(directory) != 0 || lstat(".", &st) != 0) {
		look_gone(directory);
	} else {
		reserve(0);
		take("", 0, ".", &st);
		walk(0);
	}
	putchar('"');
	for (size_t i = 0; !gone && i < sizeof sum; i++)
		printf("%02x", sum[i]);
	putchar('"');
}
