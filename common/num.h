/* Numbers that come from outside: parsed whole or not at all, never wrapped.
 *
 * Every parser takes all of the span: a sign where none is meant, a blank, a trailing byte or an
 * empty span is -EINVAL; a value that does not fit is -ERANGE. The result is written on success
 * only. */
#ifndef HAUL_COMMON_NUM_H
#define HAUL_COMMON_NUM_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

int num_parse_u64(struct span s, uint64_t *ret) MUST_CHECK;
int num_parse_i64(struct span s, int64_t *ret) MUST_CHECK; /* one leading '-' */

/* Exactly 16 lower-case hex digits. */
int num_parse_hex64(struct span s, uint64_t *ret) MUST_CHECK;
/* Writes 16 lower-case hex digits, no NUL. */
void num_format_hex64(char dst[16], uint64_t v);

/* Bytes: digits with an optional K, M, G or T (powers of 1024, either case). */
int num_parse_size(struct span s, uint64_t *ret_bytes) MUST_CHECK;

/* Duration in nanoseconds: digits with ms, s, m, h or d; without a unit only 0 is a duration. */
int num_parse_duration(struct span s, int64_t *ret_ns) MUST_CHECK;

#define NUM_US_NS   INT64_C(1000)
#define NUM_MS_NS   INT64_C(1000000)
#define NUM_SEC_NS  INT64_C(1000000000)
#define NUM_SEC_US  INT64_C(1000000)
#define NUM_DAY_US  INT64_C(86400000000)
#define NUM_DAY_SEC INT64_C(86400)

/* False when a + b does not fit. */
static inline bool num_add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	return !__builtin_add_overflow(a, b, ret);
}

#endif
