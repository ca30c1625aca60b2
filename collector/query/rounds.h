/* A day with a large result, read in rounds: first the parts of the files that have the earliest lines, so that what is
 * found there can be printed while the rest is still to be read.
 *
 * Live files are parted in chunks of ROUNDS_CHUNK, whose earliest times are found by reading the files once, for their
 * times alone; whatever else there is belongs to the first round. */
#ifndef HAUL_COLLECTOR_QUERY_ROUNDS_H
#define HAUL_COLLECTOR_QUERY_ROUNDS_H

#include "collector/query/blocks.h"
#include "collector/query/search.h"

#define ROUNDS_CHUNK (UINT64_C(256) << 10)

struct rounds;

/* Would rounds be of any use for these files? */
bool rounds_worth(const struct segments *segments);

/* Reads the times, with all threads. Errors, which have been told: -errno. -EDOM, not told: some lines have none, so that
 * there is no order of reading. */
int rounds_new(struct search *search, struct segments *segments, struct rounds **ret) MUST_CHECK;
void rounds_free(struct rounds *r);

/* Goes to the next round, at first to the first one. False: there is none. */
bool rounds_next(struct rounds *r);

/* What the round reads: for scan_ops. Any thread. */
bool rounds_wanted(const struct rounds *r, uint32_t ordinal);
int rounds_choose(const struct rounds *r, uint32_t ordinal, struct pieces *pieces) MUST_CHECK;

/* After the round: lines whose first column is less than that have all been read. Empty: all lines have. */
struct span rounds_frontier(const struct rounds *r);

#endif
