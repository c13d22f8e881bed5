/* berth-files ROOT... WORK: one piece of work on the files of a container. ROOT says how its root is
 * built and WORK what is done there:
 *
 *   ns PID OWNER                       the mounts of a process whose cgroup file contains OWNER
 *   lower DIRECTORY                    a layer, topmost first
 *   upper DIRECTORY WORK               the writable layer
 *   directory DIRECTORY                that as it is
 *   mount SOURCE SUBPATH TARGET FLAGS  SOURCE "": what the namespace has there; r recursive, o read-only
 *   map FIRST BASE SIZE                SIZE ids from FIRST on stand for BASE and following on the file systems
 *   readonly                           nothing may be written
 *
 *   from ROOT                          the root of what is copied; after everything about the other
 *
 *   seal RECIPE | index PATH | copy OPTIONS... | scan | digest  see seal.c, index.c, copy.c, scan.c
 *   stat PATH NAME | pack PATH NAME | export | layer | put PATH FLAGS UID GID     FLAGS: k keep kind, c chown, d describe
 *
 * berth-files serve SOCKET: does that for those who connect (serve.c).
 *
 * Without a root: usage DIRECTORY... | opaque DIRECTORY... | changes UPPER LOWER... | merge TARGET LAYER...
 *
 * Each line of standard output is a JSON object; one with "error" is the last, and the exit code then 1. */
#include "files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static struct root root, source;
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

static bool root_word(struct root *to, const char *word)
{
	if (strcmp(word, "ns") == 0) {
		to->pid = take();
		to->owner = take();
	} else if (strcmp(word, "below") == 0) {
		to->below = take();
	} else if (strcmp(word, "lower") == 0) {
		if (to->lower_count == MAX_LAYERS)
			fail("more than %d layers", MAX_LAYERS);
		to->lower[to->lower_count++] = take();
	} else if (strcmp(word, "upper") == 0) {
		to->upper = take();
		to->work = take();
	} else if (strcmp(word, "directory") == 0) {
		to->directory = take();
	} else if (strcmp(word, "mount") == 0) {
		if (to->mount_count == MAX_MOUNTS)
			fail("more than %d mounts", MAX_MOUNTS);
		struct mount_wish *wish = &to->mounts[to->mount_count++];
		const char *from = take(), *subpath = take();
		wish->source = *from ? from : NULL;
		wish->subpath = *subpath ? subpath : NULL;
		wish->target = take();
		const char *flags = take();
		wish->recursive = strchr(flags, 'r') != NULL;
		wish->read_only = strchr(flags, 'o') != NULL;
	} else if (strcmp(word, "map") == 0) {
		uint32_t first = number(take()), base = number(take());
		map_ids(first, base, number(take()));
	} else if (strcmp(word, "readonly") == 0) {
		to->read_only = true;
	} else {
		return false;
	}
	return true;
}

/* As "d755:700,f644:600". */
static void mode_words(const char *text, struct copy_options *options)
{
	memset(options->modes, 0xff, sizeof options->modes);
	for (char kind; *text; text += *text == ',') {
		unsigned from, to;
		int length = 0;
		if (sscanf(text, "%c%o:%o%n", &kind, &from, &to, &length) != 3 || from > 07777 || to > 07777)
			fail("not modes: %s", text);
		options->modes[kind == 'd'][from] = to;
		text += length;
	}
}

static const struct copy_options *copy_words(void)
{
	static struct copy_options options;
	const char *flags = take();
	options.chown = strchr(flags, 'c');
	options.chmod = strchr(flags, 'm');
	options.has_time = strchr(flags, 't');
	options.uid = number(take());
	options.gid = number(take());
	mode_words(take(), &options);
	options.time = number(take());
	options.has_limit = strchr(flags, 'l');
	const char *limit = take();
	if (options.has_limit && sscanf(limit, "%" SCNd64 ".%ld", &options.limit, &options.limit_nanoseconds) != 2)
		fail("not a time: %s", limit);
	return &options;
}

static void copy_between(void)
{
	int from = open_source(&source);
	const struct copy_options *options = copy_words();
	int to = enter_root(&root);
	copy(from, to, options);
}

static void work_inside(const char *word)
{
	const bool whole = strcmp(word, "export") == 0 || strcmp(word, "layer") == 0 || strcmp(word, "copy") == 0 ||
			   strcmp(word, "scan") == 0 || strcmp(word, "digest") == 0;
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
	} else if (strcmp(word, "seal") == 0) {
		int recipe = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (recipe < 0)
			fail_errno(path);
		seal(enter_root(&root), recipe);
	} else if (strcmp(word, "scan") == 0) {
		scan(enter_root(&root));
	} else if (strcmp(word, "digest") == 0) {
		digest_files(enter_root(&root));
	} else if (strcmp(word, "index") == 0) {
		index_tree(enter_root(&root), path);
	} else if (strcmp(word, "copy") == 0) {
		copy_between();
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
	} else if (strcmp(word, "opaque") == 0) {
		tell_opaque(next);
	} else if (strcmp(word, "changes") == 0) {
		const char *upper = take();
		changes(upper, next);
	} else if (strcmp(word, "merge") == 0) {
		const char *target = take();
		merge(target, next);
	} else {
		while (root_word(&root, word))
			word = take();
		if (strcmp(word, "from") == 0)
			for (word = take(); root_word(&source, word);)
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
