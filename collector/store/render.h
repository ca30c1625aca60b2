/* From payload lines to stored lines: host and service are put in, and the lines of a chunk are
 * parted by day. Pure: the same chunk with the same terms gives the same bytes, today and at a
 * replay in a year; that is why the terms stand in the WAL record. */
#ifndef HAUL_COLLECTOR_STORE_RENDER_H
#define HAUL_COLLECTOR_STORE_RENDER_H

#include "collector/store/batch.h"

#define RENDER_DAYS_MAX 512 /* days that the lines of one chunk may fall on */

/* What decides about the bytes beside the chunk itself. A line whose day is before `oldest_day` or
 * whose time is after `newest_us` stands under `received_us` with flag r. */
struct render_terms {
	int64_t received_us;
	int32_t oldest_day;
	int64_t newest_us;
};

/* The lines of one chunk that belong to one day, in their order. */
struct rendered {
	int32_t day;
	struct buf bytes;
	uint64_t lines;
	uint64_t crc; /* CRC-64/XZ of bytes */
	int64_t first_us, last_us;
};

struct rendered_chunk {
	struct rendered *days; /* in order of first appearance */
	size_t n_days;
};

/* `host` is the authenticated one. The chunk has passed batch_parse without `refused`. Errors:
 * -ENOMEM; -E2BIG more than RENDER_DAYS_MAX days; -EINVAL the chunk has not passed. */
int render_chunk(const struct batch_chunk *chunk, struct span host, struct render_terms terms,
		 struct rendered_chunk *ret) MUST_CHECK;
void rendered_chunk_free(struct rendered_chunk *r);

#endif
