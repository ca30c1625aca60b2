/* The time that container runtimes put before each line: RFC 3339 with up to nine digits of a
 * second's fraction, in Z or at an offset. */
#ifndef HAUL_AGENT_RFC3339_H
#define HAUL_AGENT_RFC3339_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

/* Takes all of the span. Digits beyond microseconds are cut off; second 60 is 59.999999. Errors:
 * -EINVAL, also for a date that is none. Pure, thread-safe. */
int rfc3339_parse_us(struct span s, int64_t *ret_us) MUST_CHECK;

#endif
