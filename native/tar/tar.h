/* berth-tar: unpacks one layer archive below a directory, in a jail, and says what it was. */
#ifndef BERTH_TAR_H
#define BERTH_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK 512
#define MAX_PATH_BYTES 4096
#define MAX_RECORDS (1 << 20) /* bytes of one extended header */
#define MAX_XATTRS 64
#define MAX_SPARSE 65536
#define MAX_FILE (1ULL << 53) /* bytes: what readers of sizes count exactly */

struct limits {
	uint64_t bytes;   /* of the decompressed archive */
	uint64_t entries;
	uint64_t reserve; /* bytes that stay free on the file system */
};

/* report.c */
extern const char *current_entry; /* named in errors */
extern void (*after_failure)(void); /* done before the process ends, when set */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail_errno(const char *what);
void *must_alloc(size_t size);
void *must_grow(void *pointer, size_t size);
void put_json_string(const char *text);
void put_hex(const char *key, const unsigned char *digest);

/* input.c: the archive as plain bytes, decompressed and digested in a second thread */
void input_start(int fd, uint64_t max_bytes);
/* Before the start, by those who do not need to know what the archive was. */
void input_without_digests(void);
/* At most `want` bytes at *data, which stay valid until the next call; 0 at the end. */
size_t input_next(const unsigned char **data, size_t want);
/* Exactly `size` bytes; false when the archive ends right here, fails when it ends within. */
bool input_exact(void *buffer, size_t size);
void input_skip(uint64_t size);
/* Skips what fills an entry of that size to a whole block. The last one's may be missing: Go's writer leaves
 * it out when it is not closed, as docker build's is not. */
void input_padding(uint64_t size);
/* Reads what is left, which may fail; after it the digests can be printed, as JSON members. */
void input_drain(void);
void input_print(void);

/* When set, is shown all that is taken from the archive. */
extern void (*input_seen)(const unsigned char *data, size_t size);

/* decompress.c */
enum packing { PLAIN, GZIP, ZSTD };
struct decompressor;
struct decompressor *decompressor_new(enum packing packing);
/* Takes from *in, gives to out; returns the bytes given. At the end of the input call with *in_size 0. */
size_t decompress(struct decompressor *d, const unsigned char **in, size_t *in_size, unsigned char *out, size_t out_size);
/* Whether the input may end here. */
bool decompressor_done(const struct decompressor *d);

/* header.c */
uint64_t header_number(const unsigned char *field, size_t size);
struct xattr {
	char *name;
	unsigned char *value;
	size_t size;
};
struct extent {
	uint64_t offset, size;
};
struct entry {
	char type;
	char path[MAX_PATH_BYTES];
	char link[MAX_PATH_BYTES];
	uint64_t size;      /* bytes of data in the archive */
	uint64_t real_size; /* of the file, larger when it has holes */
	uint32_t mode, uid, gid, major, minor;
	int64_t mtime, atime;
	uint32_t mtime_ns, atime_ns;
	struct xattr xattrs[MAX_XATTRS];
	size_t xattr_count;
	bool sparse;
	struct extent *extents;
	size_t extent_count;
};
/* False at the end of the archive. */
bool header_next(struct entry *entry);

/* pax.c */
struct pax {
	bool has_path, has_link, has_size, has_uid, has_gid, has_mtime, has_atime, has_real_size;
	char path[MAX_PATH_BYTES], link[MAX_PATH_BYTES];
	uint64_t size, real_size;
	uint32_t uid, gid;
	int64_t mtime, atime;
	uint32_t mtime_ns, atime_ns;
	struct xattr xattrs[MAX_XATTRS];
	size_t xattr_count;
	int sparse_major, sparse_minor; /* -1: none */
	struct extent *extents;         /* of formats 0.0 and 0.1 */
	size_t extent_count;
	bool pending_offset;
};
void pax_clear(struct pax *pax);
void pax_parse(struct pax *pax, char *records, size_t size);
bool parse_decimal(const char *text, size_t size, uint64_t *value);
void add_extent(struct extent **extents, size_t *count, uint64_t offset, uint64_t size);

/* sparse.c */
void sparse_old_gnu(struct entry *entry, const unsigned char *header);
void sparse_pax_1_0(struct entry *entry);
void sparse_check(const struct entry *entry);

/* path.c */
/* Cleans in place: no leading, double or trailing slash, no "."; "" is the root. Fails on an escape. */
void clean_path(char *path);

/* data.c: the contents of a file's entry, holes left out */
void write_all(int fd, const unsigned char *data, size_t size);
void entry_data(int fd, const struct entry *entry);

/* remove.c */
/* When set, is shown all but directories before they go. */
extern void (*before_unlink)(int directory, const char *name);
void remove_tree(int parent, const char *name);

/* place.c: one entry in the directory */
void place(struct entry *entry);
/* Whether an image may have it on its files. */
bool allowed_xattr(const char *name);
/* Times of directories, which what is put into them would change. */
void place_finish(void);

/* tree.c */
void tree_root(int fd);
int tree_root_fd(void);
/* The directory `path` below the root, made when missing. Valid until the next call. */
int open_directory(const char *path);
/* Whether the path of the last call led through a symbolic link. */
bool led_through_link(void);
void remove_existing(int directory, const char *name);
/* The archive has described this directory after all; false when it was not implied. */
bool implied_forget(int fd);
/* As a JSON member. */
void implied_print(void);

/* recipe.c */
/* From now on what the archive consists of is written to `fd`. */
void recipe_begin(int fd);
/* The data of this entry, which is read next, is that of the file; until recipe_file_end. */
void recipe_file(const struct entry *entry);
void recipe_file_end(void);
/* For archives that are made here: literal bytes, and the part of a file that follows. */
void recipe_literal(const void *data, size_t size);
void recipe_part(const char *path, uint64_t offset, uint64_t size);
/* How many parts of files it speaks of so far. */
uint64_t recipe_parts(void);
/* What it speaks of is gone. */
void recipe_spoil(void);
/* Whether there is a recipe and it can be followed. */
bool recipe_end(void);

/* replaced.c */
struct replaced_part {
	uint64_t first, count, base;
};
/* From now on the contents of files that are replaced are kept in `fd`. */
void replaced_begin(int fd);
/* A file was made whose parts in the recipe begin with the one of this number. */
void replaced_note(int fd, const struct entry *entry, uint64_t first);
/* To be told before something goes. */
void replaced_keep(int directory, const char *name);
/* Whether anything was kept. */
bool replaced_end(void);

/* output.c: bytes to a descriptor, none when it is negative, and their digest */
void output_start(int fd);
/* Where to put what comes next, and how much; tell then how much it was. */
unsigned char *output_room(size_t *size);
void output_filled(size_t size);
/* Fails when the SHA-256 of all is another, in hexadecimal digits. */
void output_finish(const char *expected);

/* assemble.c */
/* Writes the archive to `out` again, by the recipe on standard input and what was replaced, if anything was. */
void assemble(int root, int replaced, int out, const char *expected);

/* fingerprint.c */
/* As a JSON string, empty when there is no such directory. */
void fingerprint_print(const char *directory);

/* inherit.c */
void inherit(const char *layer, char **lowers, int count);

/* pivot.c: the tree that a descriptor stands for is / from now on, and the working directory */
void pivot_to(int tree);

/* confine.c: few capabilities, few system calls, little memory from now on */
void confine(void);

/* jail.c */
/* Leaves the process with `directory` as its root, without devices, without capabilities and system
 * calls other than unpacking needs. Returns the root's descriptor. */
int enter_jail(const char *directory);

#endif
