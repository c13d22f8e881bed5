/* berth-tar unpack DIRECTORY MAX_BYTES MAX_ENTRIES RESERVE [RECIPE REPLACED] < archive
 *
 * Unpacks a layer (tar, gzip or zstd of it) into an empty directory, whiteouts in overlayfs's form, and
 * prints one JSON object: what it was, or {"error","code","entry"} with exit code 1.
 *
 * berth-tar assemble DIRECTORY SHA256 [REPLACED] < recipe > archive: see assemble.c
 * berth-tar verify DIRECTORY SHA256 [REPLACED] < recipe: the same for nothing but its errors
 * berth-tar inherit LAYER LOWER... < paths: see inherit.c
 * berth-tar remove PATH...: see remove.c
 * berth-tar spread DIRECTORY: what is made in it does not start in one place of the disk
 * berth-tar sync DIRECTORY: all that was written to its file system reaches the disk
 * berth-tar fingerprint DIRECTORY...: see fingerprint.c */
#include "tar.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CHECK_SPACE_EVERY (64u << 20)
#define CHECK_SPACE_AT_LEAST (1u << 20)

/* Whether there is room for what comes next. Returns how many bytes may be written before it is time to
 * look again. */
static uint64_t check_space(int root, const struct limits *limits, uint64_t needed)
{
	struct statfs fs;
	if (fstatfs(root, &fs) != 0)
		fail_errno("statfs");
	uint64_t available = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (available < limits->reserve || available - limits->reserve < needed)
		fail("no space left on device: less than %llu bytes are free", (unsigned long long)limits->reserve);
	uint64_t half = (available - limits->reserve) / 2;
	return half < CHECK_SPACE_AT_LEAST ? CHECK_SPACE_AT_LEAST : half > CHECK_SPACE_EVERY ? CHECK_SPACE_EVERY : half;
}

static void unpack(int root, const struct limits *limits)
{
	static struct entry entry;
	uint64_t entries = 0, size = 0, unchecked = 0, next_check = 0;
	tree_root(root);
	input_start(STDIN_FILENO, limits->bytes);
	while (header_next(&entry)) {
		if (++entries > limits->entries)
			fail("the archive has more than %llu entries", (unsigned long long)limits->entries);
		/* As a walk over the files would find it; what a hard link leads to is counted once. */
		size += entry.type == '2' ? strlen(entry.link) : entry.real_size;
		/* Twice, because what is replaced later is kept. */
		unchecked += 2 * entry.size + 4096;
		if (unchecked >= next_check) {
			next_check = check_space(root, limits, entry.size);
			unchecked = 0;
		}
		place(&entry);
		input_skip(entry.size);
		input_padding(entry.size);
	}
	place_finish();
	input_drain();
	bool replaced = replaced_end();
	bool recipe = recipe_end();
	putchar('{');
	input_print();
	printf(",\"size\":%llu,\"entries\":%llu,\"recipe\":%s,\"replaced\":%s,", (unsigned long long)size,
	       (unsigned long long)entries, recipe ? "true" : "false", replaced ? "true" : "false");
	implied_print();
	puts("}");
}

/* Ext4 keeps what is made in a directory near it, and looks long for an inode where many were freed within
 * the last minutes. A "top directory" has each of its subdirectories start in a place of its own. Other
 * file systems do without. */
static void spread(const char *directory)
{
	int flags, fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_errno(directory);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
		flags |= FS_TOPDIR_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
}

static uint64_t argument(const char *text)
{
	uint64_t value;
	if (!parse_decimal(text, strlen(text), &value))
		fail("not a number: %s", text);
	return value;
}

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		fail_errno(path);
	return fd;
}

int main(int argc, char **argv)
{
	/* Otherwise stdio asks whether it is a terminal, which it may not any more when confined. */
	static char buffer[BUFSIZ];
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	/* The archive ends with the daemon that sends it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc >= 3 && strcmp(argv[1], "inherit") == 0) {
		inherit(argv[2], argv + 3, argc - 3);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "spread") == 0) {
		spread(argv[2]);
		puts("{}");
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "sync") == 0) {
		int fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || syncfs(fd) != 0)
			fail_errno(argv[2]);
		puts("{}");
		return 0;
	}
	if (argc >= 3 && strcmp(argv[1], "fingerprint") == 0) {
		for (int i = 2; i < argc; i++) {
			putchar(i == 2 ? '[' : ',');
			fingerprint_print(argv[i]);
		}
		puts("]");
		return 0;
	}
	if (argc >= 3 && strcmp(argv[1], "remove") == 0) {
		for (int i = 2; i < argc; i++)
			remove_tree(AT_FDCWD, current_entry = argv[i]);
		puts("{}");
		return 0;
	}
	if ((argc == 4 || argc == 5) && (strcmp(argv[1], "assemble") == 0 || strcmp(argv[1], "verify") == 0)) {
		/* The archive takes standard output, failures go to the other. */
		int out = dup(STDOUT_FILENO);
		if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			fail_errno("dup");
		int replaced = argc == 5 ? open(argv[4], O_RDONLY | O_CLOEXEC) : -1;
		if (argc == 5 && replaced < 0)
			fail_errno("open of what was replaced");
		assemble(enter_jail(argv[2]), replaced, *argv[1] == 'v' ? -1 : out, argv[3]);
		return 0;
	}
	if ((argc != 6 && argc != 8) || strcmp(argv[1], "unpack") != 0) {
		fprintf(stderr, "usage: berth-tar unpack DIRECTORY MAX_BYTES MAX_ENTRIES RESERVE [RECIPE REPLACED]\n");
		return 2;
	}
	if (argc == 8) {
		recipe_begin(make_file(argv[6]));
		replaced_begin(make_file(argv[7]));
	}
	struct limits limits = { argument(argv[3]), argument(argv[4]), argument(argv[5]) };
	umask(0);
	unpack(enter_jail(argv[2]), &limits);
	return 0;
}
