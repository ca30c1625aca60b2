/* Context lines: from lines that were found, in file order, to groups of neighbours with so many
 * lines before and behind. */
#ifndef HAUL_COLLECTOR_QUERY_CONTEXT_H
#define HAUL_COLLECTOR_QUERY_CONTEXT_H

#include "collector/query/segments.h"
#include "collector/query/sorter.h"

/* Reads single lines from `found`, which is sorted by place, and puts groups into `out`, which
 * sorts by time: a group by the first line of `found` in it. Groups that touch or overlap are one.
 * Errors: -ENOMEM; -errno of the sorters. */
int context_add(struct merge *found, struct segments *segments, uint64_t before, uint64_t after,
		struct sorter *out) MUST_CHECK;

#endif
