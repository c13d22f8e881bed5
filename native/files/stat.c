#include "files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

void print_stat(int root, const char *path, const char *name)
{
	int fd = open_inside(root, path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		fail_errno("lstat");
	print_stat_of(fd, root, path, name);
	close(fd);
}

void print_stat_of(int fd, int root, const char *path, const char *name)
{
	static char target[MAX_PATH_BYTES];
	struct stat st;
	if (fstat(fd, &st) != 0)
		fail_errno("lstat");
	if (S_ISLNK(st.st_mode))
		follow_links(root, path, target);
	printf("{\"name\":");
	put_json_string(name);
	printf(",\"size\":%" PRId64 ",\"mode\":%u,\"seconds\":%" PRId64 ",\"nanoseconds\":%ld,\"target\":", (int64_t)st.st_size,
	       st.st_mode, (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	put_json_string(target);
	printf("}\n");
	fflush(stdout);
}
