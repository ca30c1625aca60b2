/* Whole events: a match in any line of a stack trace brings the whole trace. One for each thread of
 * a search; what it finds goes to the thread's sorter.
 *
 * A continuation belongs to the nearest earlier head of the shard with the same time, stream
 * (service and instance) and origin (stdout or stderr). It is looked for within EVENTS_REACH bytes
 * of the last line that was found. Pieces of long lines (flag P) are lines by themselves here.
 *
 * Errors of all functions: -ENOMEM; -errno of the sorter. */
#ifndef HAUL_COLLECTOR_QUERY_EVENTS_H
#define HAUL_COLLECTOR_QUERY_EVENTS_H

#include "collector/query/place.h"
#include "collector/query/segments.h"
#include "collector/query/sorter.h"

#define EVENTS_REACH (UINT64_C(1) << 20)

struct events;

/* `out` is not owned. NULL when memory is short. */
struct events *events_new(struct sorter *out);
void events_free(struct events *e);

/* The next window of a piece. */
void events_window(struct events *e, struct segments *segments, const struct window *w);

/* A line of the window that matched, in order: it is given to the sorter, and so are the lines of
 * its event that stand before it. */
int events_hit(struct events *e, struct span line) MUST_CHECK;

/* The window is over, and still there. */
int events_window_end(struct events *e) MUST_CHECK;

/* May lines behind the window belong to an event that was found? */
bool events_open(const struct events *e);

/* The piece is over: the rest of the events that are open is looked for behind it. */
int events_piece_end(struct events *e, struct segments *segments) MUST_CHECK;

/* Lets go of open files, before the list of segments is freed. */
void events_day_end(struct events *e);

#endif
