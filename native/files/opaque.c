/* Whether directories of layers hide what lower layers have below them. */
#include "files.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

void tell_opaque(char **directories)
{
	for (int i = 0; directories[i]; i++) {
		char value = 0;
		int fd = open(directories[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			fail_errno(directories[i]);
		const bool opaque = fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
		printf("{\"opaque\":%s}\n", opaque ? "true" : "false");
		close(fd);
	}
}
