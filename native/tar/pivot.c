/* A mount as the whole file system of this process. */
#include "tar.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

void pivot_to(int tree)
{
	if (fchdir(tree) != 0)
		fail_errno("fchdir");
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) != 0)
			fail_errno("umount");
	} else if (errno != EINVAL || chroot(".") != 0) {
		/* An initial ramfs cannot be pivoted away from; there chroot must do. */
		fail_errno("pivot_root");
	}
	if (chdir("/") != 0)
		fail_errno("chdir");
}
