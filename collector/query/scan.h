/* Reads the chosen parts of a day's segments with all cores and shows every window of lines to a
 * worker.
 *
 * One scan at a time; the threads live as long as the struct. */
#ifndef HAUL_COLLECTOR_QUERY_SCAN_H
#define HAUL_COLLECTOR_QUERY_SCAN_H

#include "collector/query/blocks.h"
#include "collector/query/place.h"
#include "collector/query/progress.h"
#include "collector/query/segments.h"

#include <stdatomic.h>

#define SCAN_THREADS_MAX 16 /* more only wait for memory, and each has its buffers */

struct scan;

/* What is done with the windows. A worker is the state of one thread; each function gets the one of
 * the thread that calls it. */
struct scan_ops {
	/* The next window of a piece, in file order. Negative: the scan ends with this error. */
	int (*window)(void *worker, struct segments *segments, const struct window *w);
	/* Before a window is read: strings of which one stands in every line that is of interest
	 * from here on. NULL: every line is. May be NULL. */
	const struct finder *(*lead)(void *worker);
	/* The piece is read to its end; may be NULL. */
	int (*piece_end)(void *worker, struct segments *segments, const struct piece *piece);
	/* Before a segment is read, with the thread's lookup: takes what the index knows of its
	 * blocks and adds those that then need not be read to `done`. Negative: the scan ends. May
	 * be NULL. */
	int (*known)(void *worker, const struct segment *segment, const struct lookup *lookup,
		     struct block_set *done);
	/* Need the segment be read at all (any more)? May be NULL. */
	bool (*wanted)(void *worker, uint32_t ordinal);
	/* May take some of the segment's pieces away, or part them. Negative: the scan ends. May be
	 * NULL. */
	int (*choose)(void *worker, uint32_t ordinal, struct pieces *pieces);
};

/* As many as the machine has cores, at most SCAN_THREADS_MAX; HAUL_THREADS in the environment sets
 * another number. */
unsigned scan_threads(void);

/* Starts the threads. `stop` is looked at between windows: when it is set the scan ends early,
 * without an error. Errors: -ENOMEM, -errno. */
int scan_new(unsigned threads, const atomic_bool *stop, struct trouble *trouble,
	     struct progress *progress, struct scan **ret) MUST_CHECK;
void scan_free(struct scan *s);

/* Scans a day. `lookup` has turned to it (NULL: all is read); `workers` has one for each thread.
 * Returns when all is read. Errors: what an operation returned, -ENOMEM. */
int scan_day(struct scan *s, struct segments *segments, const struct lookup *lookup,
	     const struct scan_ops *ops, void *const *workers) MUST_CHECK;

#endif
