/* A segment's file during recovery: which one it is, under which name, and what stands in it. For
 * restore.c and its parts only; `struct restore` owns the files. Errors are -errno. */
#ifndef HAUL_COLLECTOR_STORE_RESTORE_FILE_H
#define HAUL_COLLECTOR_STORE_RESTORE_FILE_H

#include "collector/store/restore.h"

struct restore_file {
	struct segment *segment; /* number, length and sums of what stands there for sure */
	bool known;              /* to the ledger, with its inode */
	bool gone;               /* a move said that it has no file */
	bool present, closed;    /* the file is there; under its closed name */
	bool sealed;             /* only its sealed form is there: all its lines were written */
	bool touched;            /* something is new: its row is to be written */
	bool blocked;            /* nobody knows what is there; new lines wait beside the log */
	bool waits;              /* lines of it waited there at the start */
	bool walked;             /* found by the walk: whatever is there counts */
	int fd;
	uint64_t size;
};

/* It cannot be written, nor can the shard's later ones. `place` is said aloud. -ENOMEM. */
int restore_file_block(struct restore *r, struct restore_file *f,
		       const struct blocked_place *place) MUST_CHECK;

/* Made when it is not there yet; NULL when memory is short. */
struct restore_file *restore_file_get(struct restore *r, struct shard *shard, uint32_t number);

/* The file in which the record's lines are to stand, and their place after all moves. NULL when
 * memory is short. */
struct restore_file *restore_file_at(struct restore *r, struct span service, struct span host,
				     const struct walrecord_lines *lines, struct place *ret);

/* Is it the segment that takes the shard's next lines? */
bool restore_file_is_newest(const struct restore_file *f);

void restore_file_path(const struct restore_file *f, bool closed, char path[SEGMENT_PATH_MAX]);

/* Opens it to read and write, with `flags` of open(2), when it is not open; others are closed when
 * there are many. */
int restore_file_open(struct restore *r, struct restore_file *f, int flags) MUST_CHECK;
void restore_file_close(struct restore *r, struct restore_file *f);

/* Adds the bytes [from, to) to a checksum, counts their lines and gives the last one. -EIO: they
 * are not all there. */
int restore_file_sum(struct restore *r, struct restore_file *f, uint64_t from, uint64_t to,
		     uint64_t *crc, uint64_t *lines, char *last) MUST_CHECK;

/* Gives the live file its number. */
int restore_file_retire(struct restore *r, struct restore_file *f) MUST_CHECK;

/* Looks for the file under all names that it may have; finishes a rename that a crash cut short. */
int restore_file_find(struct restore *r, struct restore_file *f) MUST_CHECK;

/* All files by shard and number, in r->sorted. -ENOMEM. */
int restore_files_sort(struct restore *r) MUST_CHECK;

#endif
