/* What must be true of lines on their way to the archive, whatever a peer has sent: for the fuzz
 * targets of the receive path. */
#ifndef HAUL_TESTS_FUZZ_RENDERED_H
#define HAUL_TESTS_FUZZ_RENDERED_H

#include "collector/store/batch.h"
#include "collector/store/render.h"
#include "common/civil.h"
#include "common/crc64.h"
#include "common/line.h"
#include "common/name.h"
#include "common/num.h"

#include <stdlib.h>

static inline void fuzz_check(bool ok)
{
	if (!ok)
		abort();
}

/* Each is one line of haul's with the host that was authenticated, clean, of the day it is filed
 * under. */
static inline uint64_t fuzz_check_day(const struct rendered *day, struct span host)
{
	struct span rest = buf_span(&day->bytes);
	uint64_t lines = 0;
	while (rest.len) {
		struct span line = span_first(rest, span_find(rest, '\n'));
		struct stored_line l;
		fuzz_check(line.len < rest.len);
		fuzz_check(line_parse_stored(line, &l) == 0);
		fuzz_check(span_equal(l.host, host));
		fuzz_check(name_valid(l.service) && (!l.instance.len || name_valid(l.instance)));
		fuzz_check(line_clean(l.message));
		fuzz_check(civil_day_of_us(l.time_us) == day->day);
		fuzz_check(l.time_us >= day->first_us && l.time_us <= day->last_us);
		rest = span_from(rest, line.len + 1);
		lines++;
	}
	fuzz_check(lines == day->lines);
	fuzz_check(day->crc == crc64_add(CRC64_EMPTY, day->bytes.ptr, day->bytes.len));
	return lines;
}

static inline void fuzz_check_chunk(const struct batch_chunk *c, const struct rendered_chunk *r,
				    struct span host)
{
	uint64_t lines = 0;
	fuzz_check(name_valid(c->header.service) && name_valid_host(c->header.host));
	fuzz_check(c->header.start <= c->header.from && c->header.from <= c->header.to);
	fuzz_check(c->header.to <= INT64_MAX && c->payload.len == c->header.bytes);
	fuzz_check(r->n_days <= RENDER_DAYS_MAX);
	for (size_t i = 0; i < r->n_days; i++)
		lines += fuzz_check_day(&r->days[i], host);
	fuzz_check(lines == c->header.lines);
}

#endif
