/* A day read in rounds: first the parts of the files that have the earliest lines, so that what is
 * found there can be printed while the rest is still to be read.
 *
 * Parts are the blocks that the index knows, with their times, and of plain files chunks of
 * ROUNDS_CHUNK, whose earliest times are found by reading the files once, for their times alone,
 * when that is asked for. Whatever else there is belongs to the first round. */
#ifndef HAUL_COLLECTOR_QUERY_ROUNDS_H
#define HAUL_COLLECTOR_QUERY_ROUNDS_H

#include "collector/query/blocks.h"
#include "collector/query/search.h"

#define ROUNDS_CHUNK (UINT64_C(256) << 10)

struct rounds;

/* What rounds would be good for, with these files. */
enum rounds_use {
	ROUNDS_NONE,    /* nothing: there is little to read */
	ROUNDS_TIMES,   /* a large result; the times of plain files would have to be read */
	ROUNDS_AT_ONCE, /* anything: the index has the times of most of what is to be read */
};

/* The search's index has turned to the day. */
enum rounds_use rounds_use(const struct search *search, const struct segments *segments);

/* With `times` the plain files are read for theirs, with all threads. Errors, which have been told:
 * -errno. */
int rounds_new(struct search *search, struct segments *segments, bool times,
	       struct rounds **ret) MUST_CHECK;
void rounds_free(struct rounds *r);

/* Goes to the next round, at first to the first one. False: there is none. */
bool rounds_next(struct rounds *r);

/* What the round reads: for scan_ops. Any thread, each segment one. */
bool rounds_wanted(const struct rounds *r, uint32_t ordinal);
int rounds_choose(struct rounds *r, uint32_t ordinal, struct pieces *pieces) MUST_CHECK;

/* After the round: lines whose first column is less than that have all been read. Empty: all lines
 * have. */
struct span rounds_frontier(const struct rounds *r);

#endif
