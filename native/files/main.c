/* berth-files ROOT... WORK: one piece of work on the files of a container. ROOT says how its root is
 * built and WORK what is done there:
 *
 *   ns PID OWNER                       the mounts of a process whose cgroup file contains OWNER
 *   lower DIRECTORY                    a layer, topmost first
 *   upper DIRECTORY WORK               the writable layer
 *   directory DIRECTORY                that as it is
 *   mount SOURCE SUBPATH TARGET FLAGS  SOURCE "": what the namespace has there; r recursive, o read-only
 *   map BASE SIZE                      ids 0 to SIZE stand for BASE and following on the file systems
 *   readonly                           nothing may be written
 *
 *   stat PATH NAME | pack PATH NAME | export | layer | put PATH FLAGS UID GID     FLAGS: k keep kind, c chown, d describe
 *
 * berth-files serve SOCKET: does that for those who connect (serve.c).
 *
 * Without a root: usage DIRECTORY... | changes UPPER LOWER...
 *
 * Each line of standard output is a JSON object; one with "error" is the last, and the exit code then 1. */
#include "files.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static struct root root;
static char **next;

static const char *take(void)
{
	if (!*next)
		fail("too few arguments");
	return *next++;
}

static uint32_t number(const char *text)
{
	uint64_t value;
	if (!parse_decimal(text, strlen(text), &value) || value > UINT32_MAX)
		fail("not a number: %s", text);
	return (uint32_t)value;
}

static bool root_word(const char *word)
{
	if (strcmp(word, "ns") == 0) {
		root.pid = take();
		root.owner = take();
	} else if (strcmp(word, "lower") == 0) {
		if (root.lower_count == MAX_LAYERS)
			fail("more than %d layers", MAX_LAYERS);
		root.lower[root.lower_count++] = take();
	} else if (strcmp(word, "upper") == 0) {
		root.upper = take();
		root.work = take();
	} else if (strcmp(word, "directory") == 0) {
		root.directory = take();
	} else if (strcmp(word, "mount") == 0) {
		if (root.mount_count == MAX_MOUNTS)
			fail("more than %d mounts", MAX_MOUNTS);
		struct mount_wish *wish = &root.mounts[root.mount_count++];
		const char *source = take(), *subpath = take();
		wish->source = *source ? source : NULL;
		wish->subpath = *subpath ? subpath : NULL;
		wish->target = take();
		const char *flags = take();
		wish->recursive = strchr(flags, 'r') != NULL;
		wish->read_only = strchr(flags, 'o') != NULL;
	} else if (strcmp(word, "map") == 0) {
		ids.base = number(take());
		ids.size = number(take());
	} else if (strcmp(word, "readonly") == 0) {
		root.read_only = true;
	} else {
		return false;
	}
	return true;
}

static void work_inside(const char *word)
{
	const bool whole = strcmp(word, "export") == 0 || strcmp(word, "layer") == 0;
	const char *path = whole ? "/" : take();
	if (strcmp(word, "stat") == 0) {
		print_stat(enter_root(&root), path, take());
	} else if (strcmp(word, "pack") == 0) {
		const char *name = take();
		pack(enter_root(&root), path, name);
		puts("{\"done\":true}");
	} else if (strcmp(word, "export") == 0) {
		pack(enter_root(&root), path, "");
		puts("{\"done\":true}");
	} else if (strcmp(word, "layer") == 0) {
		pack_layer(enter_root(&root));
		puts("{\"done\":true}");
	} else if (strcmp(word, "put") == 0) {
		const char *flags = take();
		struct put_options options = { .keep_kind = strchr(flags, 'k'), .chown = strchr(flags, 'c') };
		options.describe = strchr(flags, 'd');
		options.uid = number(take());
		options.gid = number(take());
		put(enter_root(&root), path, &options);
	} else {
		fail("unknown work: %s", word);
	}
}

void work(char **arguments)
{
	next = arguments;
	const char *word = take();
	if (strcmp(word, "usage") == 0) {
		usage(next);
	} else if (strcmp(word, "changes") == 0) {
		const char *upper = take();
		changes(upper, next);
	} else {
		while (root_word(word))
			word = take();
		work_inside(word);
	}
}

int main(int argc, char **argv)
{
	/* The work is of no use without the one who asked for it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(0);
	/* Otherwise stdio asks whether it is a terminal, which it may not any more when confined. */
	static char buffer[BUFSIZ];
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	work(argv + 1);
	return fflush(stdout) == 0 ? 0 : 1;
}
