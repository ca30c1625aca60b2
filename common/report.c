/* The header Haul-Report: see report.h. Written by the agent's uplink, read by the collector's
 * ingest. */
#include "common/report.h"

#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void report_format(char dst[REPORT_MAX], const struct report *r)
{
	(void)snprintf(dst, REPORT_MAX,
		       "time_us=%" PRId64 " lag_bytes=%" PRIu64 " lag_ms=%" PRIu64 " files=%" PRIu64
		       " failing=%" PRIu64,
		       r->time_us, r->lag_bytes, r->lag_ms, r->files, r->failing);
}

/* One key=number. */
static int take_pair(struct span pair, struct report *r)
{
	size_t equals = span_find(pair, '=');
	if (equals == 0 || equals == pair.len)
		return -EINVAL;
	struct span key = span_first(pair, equals), value = span_from(pair, equals + 1);
	if (span_is(key, "time_us"))
		return num_parse_i64(value, &r->time_us);
	if (span_is(key, "lag_bytes"))
		return num_parse_u64(value, &r->lag_bytes);
	if (span_is(key, "lag_ms"))
		return num_parse_u64(value, &r->lag_ms);
	if (span_is(key, "files"))
		return num_parse_u64(value, &r->files);
	if (span_is(key, "failing"))
		return num_parse_u64(value, &r->failing);
	return 0;
}

int report_parse(struct span value, struct report *ret)
{
	struct report r = {0};
	value = span_trim(value);
	while (value.len) {
		struct span pair = span_first(value, span_find(value, ' '));
		if (take_pair(pair, &r) < 0)
			return -EINVAL;
		value = span_trim(span_from(value, pair.len));
	}
	if (r.time_us <= 0)
		return -EINVAL;
	*ret = r;
	return 0;
}
