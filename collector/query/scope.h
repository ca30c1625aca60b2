/* Where a search looked: for who found nothing. */
#ifndef HAUL_COLLECTOR_QUERY_SCOPE_H
#define HAUL_COLLECTOR_QUERY_SCOPE_H

#include "collector/query/segments.h"

/* Zero it to begin. */
struct scope {
	size_t days; /* that had chosen files */
	int32_t first_day, last_day;
	uint64_t files, bytes;
};

/* The files of a day were listed. */
void scope_add(struct scope *s, const struct segments *segments);

/* Nothing was found: a glob that names nothing there is in the archive's `days` is told, with what
 * may have been meant; on a terminal also what was looked at. */
void scope_tell(const struct scope *s, int archive_fd, const struct segment_choice *choice,
		const int32_t *days, size_t n_days);

#endif
