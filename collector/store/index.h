/* The index for who searches: which blocks of which segments have to be read. Needs the files below
 * DATA_DIR/.haul/index only, while a collector may write there.
 *
 * What the index does not know, or what is damaged, is simply not covered: then all of the segment
 * is read. It never leaves out a block that may hold a line. */
#ifndef HAUL_COLLECTOR_STORE_INDEX_H
#define HAUL_COLLECTOR_STORE_INDEX_H

#include "collector/store/counts.h"
#include "collector/store/segment_name.h"
#include "collector/store/slab.h"

struct index;

/* An archive without an index has an empty one. Errors: -ENOMEM; damaged files are left out. */
int index_open(int archive_fd, struct index **ret) MUST_CHECK;
void index_free(struct index *x);

/* A question, for one day after another. `query` (with what it points to) and index outlive it.
 * NULL when memory is short. */
struct index_search;
struct index_search *index_search_new(struct index *x, const struct slab_query *query);
void index_search_free(struct index_search *s);

/* Turns to a day. By one thread, while no other asks. Errors: -ENOMEM: nothing is covered then. */
int index_search_day(struct index_search *s, int32_t day) MUST_CHECK;

/* True: of the segment only these blocks have to be read (none, when n is 0), in file order. False:
 * not covered. `size` is that of the file. Any thread; valid until the next day. `name.day` is not
 * looked at. */
struct index_blocks {
	const struct slab_hit *items;
	size_t n;
};
bool index_search_find(const struct index_search *s, const struct segment_name *name, uint64_t size,
		       struct index_blocks *ret);

/* What is counted of a segment that index_search_find covers, block after block. Zero it to begin.
 * Any thread, each with a struct of its own; until the next day. */
struct index_counts {
	struct counts_reader reader; /* its levels belong to the rows of the block at hand */
	struct counts_row rows[COUNTS_ROWS_MAX];
	uint32_t block; /* the ordinal of the block at hand */

	const struct entry *entry; /* parts that are yet to be read */
	uint32_t next;
	struct buf bytes;
};

/* Begins a segment. False: not covered. */
bool index_counts_start(struct index_counts *c, const struct index_search *s,
			const struct segment_name *name, uint64_t size);
/* Goes to the next block that is counted: how many rows it has. 0: there are no more. -ENOMEM. */
int index_counts_next(struct index_counts *c) MUST_CHECK;
void index_counts_free(struct index_counts *c);

/* The question over all days: how many blocks have to be read, and their bytes. -ENOMEM. */
int index_search_all(struct index_search *s, uint64_t *ret_blocks, uint64_t *ret_bytes) MUST_CHECK;

/* What the index holds. */
struct index_sums {
	uint64_t files, damaged, segments, blocks, bytes;
};
struct index_sums index_sums(const struct index *x);

#endif
