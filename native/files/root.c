/* The root: a copy of a running container's mounts, or its layers put together anew, in a mount
 * namespace of this process alone. Nothing of the host stays in sight. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECURSIVE 0x8000 /* AT_RECURSIVE */

static int clone_tree(int directory, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static void restrict_tree(int tree, bool read_only)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | (read_only ? MOUNT_ATTR_RDONLY : 0),
		.propagation = MS_PRIVATE,
	};
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | RECURSIVE, &attr, sizeof attr) != 0)
		fail_errno("mount_setattr");
}

static int attach(int tree, int target)
{
	return (int)syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fail_errno(path);
	return fd;
}

/* A process id may have been given to somebody else since the caller learned it. */
static void check_owner(int process, const char *owner)
{
	char text[8192];
	int fd = openat(process, "cgroup", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		errno = ESRCH, fail_errno("process");
	size_t size = 0;
	ssize_t n;
	while (size < sizeof text - 1 && (n = read(fd, text + size, sizeof text - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = 0;
	close(fd);
	if (!strstr(text, owner))
		errno = ESRCH, fail_errno("process");
}

static int clone_namespace(struct root *root, int *trees)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%s", root->pid);
	int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		errno = ESRCH, fail_errno("process");
	int namespace = openat(process, "ns/mnt", O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		errno = ESRCH, fail_errno("process");
	check_owner(process, root->owner);
	int own = must_open("/proc/self/ns/mnt", O_RDONLY);
	if (setns(namespace, CLONE_NEWNS) != 0)
		fail_errno("setns");
	const char *top = root->below ? root->below : "/";
	int tree = clone_tree(AT_FDCWD, top, 0);
	if (tree < 0)
		fail_errno("open_tree");
	int inside = must_open(top, O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < root->mount_count; i++) {
		/* A link in /proc may lead out of the namespace, where it shows processes of the host. */
		int target = open_inside(inside, root->mounts[i].target, O_PATH);
		trees[i] = target < 0 ? -1 : clone_tree(target, "", AT_EMPTY_PATH | RECURSIVE);
		/* What was unmounted or moved away inside is not there for us either. */
		if (trees[i] < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != EINVAL && errno != EXDEV)
			fail_errno(root->mounts[i].target);
		if (target >= 0)
			close(target);
	}
	close(inside);
	if (setns(own, CLONE_NEWNS) != 0)
		fail_errno("setns");
	close(own);
	close(namespace);
	close(process);
	return tree;
}

static int config(int fs, unsigned command, const char *key, const char *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fs, command, key, value, aux);
}

static int new_mount(int fs)
{
	if (config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

/* The root directory shows the upper layer's owner, mode and times. */
static void copy_attributes(const char *from, int to)
{
	struct stat st;
	if (stat(from, &st) != 0)
		fail_errno(from);
	if (fchown(to, st.st_uid, st.st_gid) != 0 || fchmod(to, st.st_mode & 07777) != 0 ||
	    futimens(to, (struct timespec[2]){ st.st_atim, st.st_mtim }) != 0)
		fail_errno("attributes of the root");
}

/* Takes what is written where nothing may be kept. */
static void scratch(struct root *root)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int tree = fs < 0 ? -1 : new_mount(fs);
	int target = must_open("/sys", O_PATH | O_DIRECTORY);
	if (tree < 0 || attach(tree, target) != 0)
		fail_errno("tmpfs");
	if (mkdirat(tree, "upper", 0755) != 0 || mkdirat(tree, "work", 0755) != 0)
		fail_errno("mkdir");
	int upper = openat(tree, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		fail_errno("open");
	copy_attributes(root->lower[0], upper);
	close(upper);
	close(fs);
	close(target);
	close(tree);
	root->upper = "/sys/upper";
	root->work = "/sys/work";
}

/* For kernels before 6.5, which take all lower layers in one option of at most a page. */
static int old_overlay(const struct root *root)
{
	char options[4096];
	size_t size = (size_t)snprintf(options, sizeof options, "userxattr,upperdir=%s,workdir=%s,lowerdir=", root->upper, root->work);
	for (size_t i = 0; i < root->lower_count && size < sizeof options; i++) {
		int fd = must_open(root->lower[i], O_PATH | O_DIRECTORY);
		size += (size_t)snprintf(options + size, sizeof options - size, "%s/proc/self/fd/%d", i ? ":" : "", fd);
	}
	if (size >= sizeof options)
		errno = E2BIG, fail_errno("overlay");
	/* Where it is mounted does not matter: it is cloned from there. */
	if (mount("overlay", "/dev", "overlay", 0, options) != 0)
		fail_errno("overlay");
	return clone_tree(AT_FDCWD, "/dev", 0);
}

static int mount_overlay(struct root *root)
{
	if (root->lower_count == 0)
		fail("no layers");
	if (!root->upper)
		scratch(root);
	int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || config(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) != 0 ||
	    config(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) != 0)
		fail_errno("overlay");
	for (size_t i = 0; i < root->lower_count; i++) {
		if (config(fs, FSCONFIG_SET_STRING, "lowerdir+", root->lower[i], 0) == 0)
			continue;
		if (errno != EINVAL)
			fail_errno("overlay");
		close(fs);
		return old_overlay(root);
	}
	if (config(fs, FSCONFIG_SET_STRING, "upperdir", root->upper, 0) != 0 ||
	    config(fs, FSCONFIG_SET_STRING, "workdir", root->work, 0) != 0)
		fail_errno("overlay");
	int tree = new_mount(fs);
	/* Older ones hear of an option they do not know only here. */
	if (tree < 0 && errno != EINVAL)
		fail_errno("overlay");
	close(fs);
	return tree < 0 ? old_overlay(root) : tree;
}

static int clone_directory(const char *path)
{
	int tree = clone_tree(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
	if (tree < 0)
		fail_errno(path);
	return tree;
}

static int open_wish(const struct mount_wish *wish)
{
	int fd = open(wish->source, O_PATH | O_CLOEXEC);
	if (fd < 0 || !wish->subpath)
		return fd;
	int inside = open_inside(fd, wish->subpath, O_PATH);
	close(fd);
	return inside;
}

static void clone_sources(const struct root *root, int *trees)
{
	for (size_t i = 0; i < root->mount_count; i++) {
		const struct mount_wish *wish = &root->mounts[i];
		int fd = open_wish(wish);
		trees[i] = fd < 0 ? -1 : clone_tree(fd, "", AT_EMPTY_PATH | (wish->recursive ? RECURSIVE : 0));
		/* A source that is not there now is missing only when the container starts. */
		if (trees[i] < 0 && errno != ENOENT && errno != ENOTDIR)
			fail_errno(wish->source);
		if (fd >= 0)
			close(fd);
	}
}

/* Makes the last component where it is missing, and leaves its directory's times as they were. */
static int make_target(int tree, const char *path, bool directory)
{
	char parent[MAX_PATH_BYTES];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (length >= sizeof parent)
		return -1;
	memcpy(parent, path, length);
	parent[length] = 0;
	int fd = open_inside(tree, parent, O_RDONLY | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT && length > 0)
		fd = make_target(tree, parent, true);
	if (fd < 0)
		return -1;
	struct stat before;
	const char *name = slash ? slash + 1 : path;
	int made = fstat(fd, &before);
	if (made == 0)
		made = directory ? mkdirat(fd, name, 0755) : mknodat(fd, name, S_IFREG | 0755, 0);
	if (made == 0)
		futimens(fd, (struct timespec[2]){ before.st_atim, before.st_mtim });
	close(fd);
	return made == 0 ? open_inside(tree, path, directory ? O_RDONLY | O_DIRECTORY : O_PATH) : -1;
}

static void attach_mounts(const struct root *root, int tree, const int *trees)
{
	for (size_t i = 0; i < root->mount_count; i++) {
		if (trees[i] < 0)
			continue;
		restrict_tree(trees[i], root->mounts[i].read_only);
		struct stat st;
		if (fstat(trees[i], &st) != 0)
			fail_errno("stat");
		int target = open_inside(tree, root->mounts[i].target, O_PATH);
		if (target < 0 && errno == ENOENT)
			target = make_target(tree, root->mounts[i].target, S_ISDIR(st.st_mode));
		/* A container that made something else of the mount's place sees that, and so do we. */
		if (target >= 0 && attach(trees[i], target) != 0 && errno != ENOTDIR)
			fail_errno(root->mounts[i].target);
		if (target >= 0)
			close(target);
		close(trees[i]);
	}
}

/* Layers without a writable one, put together only when there is more than one. */
static int read_overlay(const struct root *root)
{
	if (root->lower_count == 1)
		return clone_directory(root->lower[0]);
	int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || config(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) != 0 ||
	    config(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) != 0)
		fail_errno("overlay");
	for (size_t i = 0; i < root->lower_count; i++)
		if (config(fs, FSCONFIG_SET_STRING, "lowerdir+", root->lower[i], 0) != 0)
			fail_errno("overlay");
	int tree = new_mount(fs);
	if (tree < 0)
		fail_errno("overlay");
	close(fs);
	return tree;
}

int open_source(struct root *root)
{
	int tree = root->directory ? clone_directory(root->directory) : read_overlay(root);
	restrict_tree(tree, true);
	return tree;
}

int enter_root(struct root *root)
{
	static int trees[MAX_MOUNTS];
	/* Nobody inside shall look at this process while it works there. */
	prctl(PR_SET_DUMPABLE, 0);
	if (unshare(CLONE_NEWNS) != 0)
		fail_errno("unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		fail_errno("mount MS_PRIVATE");
	int tree = root->pid	   ? clone_namespace(root, trees)
		   : root->directory ? clone_directory(root->directory)
				     : mount_overlay(root);
	if (!root->pid)
		clone_sources(root, trees);
	int place = must_open("/proc", O_PATH | O_DIRECTORY);
	if (attach(tree, place) != 0)
		fail_errno("move_mount");
	attach_mounts(root, tree, trees);
	restrict_tree(tree, false);
	if (root->read_only) {
		struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
		if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0)
			fail_errno("mount_setattr");
	}
	pivot_to(tree);
	close(place);
	close(tree);
	raise_descriptor_limit();
	become_map_root();
	confine();
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_errno("/");
	return fd;
}
