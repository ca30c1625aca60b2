/* Times as people type them: --since, --until, --new-since. */
#ifndef HAUL_COLLECTOR_QUERY_TIMEARG_H
#define HAUL_COLLECTOR_QUERY_TIMEARG_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

/* What can be said, for messages and manual pages. */
#define TIMEARG_FORMS                                                                              \
	"30m, 1h, 2d (ago), now, today, yesterday, 05:00, 2026-11-22, "                            \
	"2026-11-22T05:00, or RFC 3339"

/* An instant, microseconds since 1970; without a zone it is UTC. Fractions beyond microseconds
 * round up, so that "T <= time" stays exact. Errors: -EINVAL with *ret_at the byte where it goes
 * wrong. */
int timearg_parse(struct span text, int64_t now_us, int64_t *ret_us, size_t *ret_at) MUST_CHECK;

/* A length of time for --every: 10s, 1m, 1h, 1d. Positive. Errors: -EINVAL. */
int timearg_parse_every(struct span text, int64_t *ret_us) MUST_CHECK;

#endif
