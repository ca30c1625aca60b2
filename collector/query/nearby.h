/* The lines beside a place, in the order of its shard's files: what stands before and behind a line
 * that was found, across frames and segments. Belongs to one thread. */
#ifndef HAUL_COLLECTOR_QUERY_NEARBY_H
#define HAUL_COLLECTOR_QUERY_NEARBY_H

#include "collector/query/place.h"
#include "collector/query/segments.h"
#include "common/buf.h"

struct nearby;

/* NULL when memory is short. */
struct nearby *nearby_new(void);

/* Lets the segment go that is held open. Before the list of segments is freed. */
void nearby_close(struct nearby *n);
void nearby_free(struct nearby *n);

/* Some whole lines from `from` on, which is the start of a line or the end of what was read last;
 * the next frame's or segment's first when there is nothing behind. 1; 0: the shard ends here (or
 * cannot be read further). Valid until the next call. -ENOMEM. */
int nearby_after(struct nearby *n, struct segments *segments, struct place from,
		 struct window *ret) MUST_CHECK;

/* Some whole lines that end where `before`, the start of a line, begins. As nearby_after. */
int nearby_before(struct nearby *n, struct segments *segments, struct place before,
		  struct window *ret) MUST_CHECK;

#endif
