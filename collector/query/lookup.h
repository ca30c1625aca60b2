/* What the archive's index says of a question: which blocks of which segments may hold a line. */
#ifndef HAUL_COLLECTOR_QUERY_LOOKUP_H
#define HAUL_COLLECTOR_QUERY_LOOKUP_H

#include "collector/query/listing.h"
#include "collector/query/needs.h"
#include "collector/store/index.h"

struct lookup;

/* *ret is NULL when the question demands nothing that an index could know, unless `always`. `needs`
 * is not kept. -ENOMEM. */
int lookup_open(int archive_fd, const struct needs *needs, bool always,
		struct lookup **ret) MUST_CHECK;
void lookup_close(struct lookup *l);

/* Turns to a day, while nobody asks. Fine on NULL. -ENOMEM. */
int lookup_day(struct lookup *l, int32_t day) MUST_CHECK;

/* True: of the segment only these blocks have to be read. Any thread. False on NULL. */
bool lookup_find(const struct lookup *l, const struct segment *segment, struct index_blocks *ret);

/* Of a plain segment that is open: the blocks that have to be read of its first *ret_covered bytes,
 * in file order; 0 when nothing is known. Any thread; fine on NULL. -ENOMEM. */
int lookup_live(const struct lookup *l, const struct segment *segment, int fd,
		struct slab_hits *ret, uint64_t *ret_covered) MUST_CHECK;

/* Begins what is counted of the segment's blocks (index_counts_next). False: not covered. Any
 * thread. */
bool lookup_counts(const struct lookup *l, const struct segment *segment, struct index_counts *c);

#endif
