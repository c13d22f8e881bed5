/* The archive is hostile, and so may be what its bytes make of this process. Whatever that is, it sees
 * the layer's directory as its whole file system, can open no device, and may make few system calls. */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static void become_root_of(const char *directory)
{
	if (unshare(CLONE_NEWNS) != 0)
		fail_errno("unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		fail_errno("mount MS_PRIVATE");
	int fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open of the layer's directory");
	int tree = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		fail_errno("open_tree");
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0)
		fail_errno("mount_setattr");
	if (syscall(SYS_move_mount, tree, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
		fail_errno("move_mount");
	pivot_to(tree);
	close(fd);
	close(tree);
}

int enter_jail(const char *directory)
{
	become_root_of(directory);
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		fail_errno("open of the layer's directory");
	confine();
	return root;
}
