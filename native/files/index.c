/* What is below a path: an object for each file, its contents by their digest. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static char path[MAX_PATH_BYTES];

void put_contents(int fd)
{
	static unsigned char data[256 * 1024];
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX hash;
	SHA256_Init(&hash);
	for (;;) {
		ssize_t n = read(fd, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("read");
		if (n == 0)
			break;
		SHA256_Update(&hash, data, (size_t)n);
	}
	SHA256_Final(digest, &hash);
	putchar(',');
	put_hex("digest", digest);
	unsigned char capability[64];
	ssize_t size = fgetxattr(fd, "security.capability", capability, sizeof capability);
	if (size > 0) {
		SHA256_Init(&hash);
		SHA256_Update(&hash, capability, (size_t)size);
		SHA256_Final(digest, &hash);
		putchar(',');
		put_hex("capability", digest);
	}
}

static const char *kind(mode_t mode)
{
	return S_ISDIR(mode) ? "directory" : S_ISREG(mode) ? "file" : S_ISLNK(mode) ? "symlink" : "special";
}

void put_kind(int directory, const char *name, const struct stat *st)
{
	static char target[MAX_PATH_BYTES];
	printf(",\"kind\":\"%s\",\"mode\":%u,\"uid\":%u,\"gid\":%u,\"size\":%" PRId64, kind(st->st_mode), st->st_mode & 07777u,
	       id_from_host(st->st_uid), id_from_host(st->st_gid), S_ISDIR(st->st_mode) ? 0 : (int64_t)st->st_size);
	/* Other names of the file have the same. */
	if (S_ISREG(st->st_mode) && st->st_nlink > 1)
		printf(",\"inode\":\"%" PRIx64 ":%" PRIx64 "\"", (uint64_t)st->st_dev, (uint64_t)st->st_ino);
	if (S_ISLNK(st->st_mode)) {
		ssize_t size = readlinkat(directory, name, target, sizeof target - 1);
		if (size < 0)
			fail_errno("readlink");
		target[size] = 0;
		printf(",\"target\":");
		put_json_string(target);
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		printf(",\"device\":\"%u:%u\"", major(st->st_rdev), minor(st->st_rdev));
	}
}

static void print_entry(int directory, const char *name, int fd, const struct stat *st)
{
	printf("{\"path\":");
	put_json_string(path);
	put_kind(directory, name, st);
	if (S_ISREG(st->st_mode))
		put_contents(fd);
	puts("}");
}

static void index_child(int directory, const char *name)
{
	struct stat st;
	current_entry = path;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		fail_errno("lstat");
	int fd = -1;
	if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
		fd = open_child(directory, name, S_ISDIR(st.st_mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY);
		if (fd < 0)
			fail_errno("open");
	}
	print_entry(directory, name, fd, &st);
	if (!S_ISDIR(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	size_t length = strlen(path);
	struct names names = read_names(dup(fd));
	for (size_t i = 0; i < names.count; i++) {
		if (length + strlen(names.list[i]) + 2 > sizeof path)
			errno = ENAMETOOLONG, fail_errno("path");
		sprintf(path + length, "%s%s", length > 0 && path[length - 1] == '/' ? "" : "/", names.list[i]);
		index_child(fd, names.list[i]);
		path[length] = 0;
	}
	free_names(&names);
	close(fd);
}

void index_tree(int root, const char *from)
{
	follow_links(root, from, path);
	if (strcmp(path, "/") == 0) {
		index_child(root, ".");
		return;
	}
	char *slash = strrchr(path, '/');
	*slash = 0;
	int parent = open_inside(root, path, O_RDONLY | O_DIRECTORY);
	*slash = '/';
	if (parent < 0)
		fail_errno("lstat");
	index_child(parent, slash + 1);
}
