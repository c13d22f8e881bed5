/* berth-files: works on the files of a container, below a root that it builds and then cannot leave. */
#ifndef BERTH_FILES_H
#define BERTH_FILES_H

#include "../tar/tar.h"

#include <stdio.h>
#include <sys/stat.h>

/* Descriptors, unless serving. The report is one JSON object a line on standard output. */
#define ARCHIVE_IN 0
#define ARCHIVE_OUT 3

/* main.c: one piece of work; `arguments` ends with NULL */
void work(char **arguments);

/* serve.c */
#define FRAME_HEADER 5
extern bool serving; /* what is told goes to a connection, in frames */
_Noreturn void serve(const char *path);
/* `frame` has room for the header before its `size` bytes. */
void send_frame(unsigned char *frame, char kind, size_t size);

/* ids.c: how ids in archives stand to ids on the root's file systems */
void map_ids(uint32_t first, uint32_t base, uint32_t size); /* without any they are the same */
uint32_t id_from_host(uint32_t id);
uint32_t id_to_host(uint32_t id);
/* What this process makes belongs to the map's root, as the file systems of a user namespace demand. */
void become_map_root(void);

/* root.c */
enum { MAX_LAYERS = 512, MAX_MOUNTS = 1024 };
struct mount_wish {
	const char *source; /* on the host; NULL: what the namespace has at the target */
	const char *subpath;
	const char *target;
	bool recursive, read_only;
};
struct root {
	/* The mount namespace of a process whose cgroup file contains `owner`... */
	const char *pid, *owner;
	/* ... or a directory in it, which nothing inside can have made a link. */
	const char *below;
	/* ...or an overlay, topmost layer first; without `upper` what is written is lost. */
	const char *lower[MAX_LAYERS];
	size_t lower_count;
	const char *upper, *work;
	/* ...or a directory as it is. */
	const char *directory;
	struct mount_wish mounts[MAX_MOUNTS];
	size_t mount_count;
	bool read_only;
};
/* Leaves the process with this as its file system, without devices, and with few rights. Returns the
 * root's descriptor. */
int enter_root(struct root *root);
/* Opens what another root would be, to be read only, without going there. To be called before. */
int open_source(struct root *root);

/* resolve.c: paths inside the root */
int open_inside(int root, const char *path, uint64_t flags);
/* The path with every link followed, lexically where nothing exists; ELOOP fails. */
void follow_links(int root, const char *path, char out[MAX_PATH_BYTES]);

/* stat.c */
void print_stat(int root, const char *path, const char *name);
/* Of what is open; `path` is where a link's target is looked up from. */
void print_stat_of(int fd, int root, const char *path, const char *name);

/* pack.c: tells what `path` is and writes an archive of it, where it is named `name`; "" for the contents
 * of a directory alone */
void pack(int root, const char *path, const char *name);
/* The root, which is a writable layer of overlayfs, as a layer of an image. */
void pack_layer(int root);

/* seal.c: what is packed as a layer is digested and a recipe of it written, no archive */
void seal(int root, int recipe);
/* False when nothing is being sealed. */
bool seal_out(const void *data, size_t size);
bool seal_contents(int fd, const char *path, uint64_t size);
void seal_entry(uint64_t size);

/* index.c */
void index_tree(int root, const char *path);
/* Parts of an object that tells of a file, each with a comma before it. */
void put_kind(int directory, const char *name, const struct stat *st);
void put_contents(int fd);

/* scan.c */
void scan(int root);
void digest_files(int root);

/* copy.c */
#define NO_MODE ((mode_t)-1)
struct copy_options {
	bool chown; /* to this owner */
	uint32_t uid, gid;
	bool chmod;
	/* What each mode becomes, of directories apart; NO_MODE for those that nobody expects. */
	mode_t modes[2][010000];
	bool has_time; /* nothing is to be younger */
	int64_t time;
	bool has_limit; /* what was changed after that is not what was looked at */
	int64_t limit;
	long limit_nanoseconds;
};
void copy(int source, int root, const struct copy_options *options);

/* write.c: headers of an archive */
struct out_entry {
	const char *path, *link;
	char type;
	uint32_t mode, uid, gid, major, minor;
	uint64_t size;
	int64_t mtime;
	const unsigned char *capability;
	size_t capability_size;
};
void write_out(const void *data, size_t size);
void write_header(const struct out_entry *entry);
void write_padding(uint64_t size);
void write_end(void);

/* put.c */
struct put_options {
	bool keep_kind;  /* a directory is not replaced by something else nor the other way round */
	bool describe;   /* the archive tells what the directory itself is like */
	bool chown;      /* everything to this owner */
	uint32_t uid, gid;
};
void put(int root, const char *path, const struct put_options *options);

/* seen.c: inodes met before */
struct seen;
/* The name it was met by first, which is `name` the first time (copied); NULL out of memory never. */
const char *seen_before(dev_t dev, ino_t ino, const char *name);

/* walk.c */
struct names {
	char **list;
	size_t count;
};
/* What the directory has, sorted by bytes. Takes the descriptor over. */
struct names read_names(int directory);
void free_names(struct names *names);
int open_child(int directory, const char *name, int flags);
/* A file to read: what it was when looked at, whatever takes its name meanwhile. */
void raise_descriptor_limit(void);

/* usage.c, opaque.c, changes.c */
void usage(char **directories);
void tell_opaque(char **directories);
void changes(const char *upper, char **lower);

/* merge.c: `layers` ends with NULL */
void merge(const char *target, char **layers);

#endif
