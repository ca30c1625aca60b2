/* RFC 3339 as Go and conmon write it: see rfc3339.h. Runs once a container line, so the digits at
 * their fixed places are taken without a loop over forms. */
#include "agent/lines/rfc3339.h"

#include "common/civil.h"
#include "common/eight.h"
#include "common/num.h"

#include <errno.h>

enum {
	DATE_TIME_LEN = 19, /* 2026-11-22T05:40:00 */
	OFFSET_LEN = 6,     /* +02:00 */
	FRACTION_MAX = 9,
	FRACTION_KEPT = 6,
};

/* The number of `n` digits at `p`; -1 when one is no digit. */
static int digits(const char *p, size_t n)
{
	int v = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(unsigned char)p[i] - '0';
		if (d > 9)
			return -1;
		v = v * 10 + (int)d;
	}
	return v;
}

/* Microseconds of ".123456789"; -1: it is none. Moves `s` behind it. */
static int64_t take_fraction(struct span *s)
{
	int64_t us = 0;
	uint64_t pairs;
	size_t n = 1;
	if (s->len >= 8 && eight_pairs(s->ptr, ".0000000", &pairs)) {
		us = (int64_t)eight_byte(pairs, 1) * 10000 + eight_byte(pairs, 3) * 100 +
		     eight_byte(pairs, 5);
		n = 8; /* the seventh digit is looked at, and not kept */
	}
	for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++)
		if (n <= FRACTION_KEPT)
			us = us * 10 + (s->ptr[n] - '0');
	if (n == 1 || n > FRACTION_MAX + 1)
		return -1;
	for (size_t have = n - 1; have < FRACTION_KEPT; have++)
		us *= 10;
	*s = span_from(*s, n);
	return us;
}

/* Seconds east of UTC; INT32_MIN: it is no zone. */
static int32_t zone(struct span s)
{
	if (s.len == 1 && (s.ptr[0] == 'Z' || s.ptr[0] == 'z'))
		return 0;
	if (s.len != OFFSET_LEN || (s.ptr[0] != '+' && s.ptr[0] != '-') || s.ptr[3] != ':')
		return INT32_MIN;
	int hours = digits(s.ptr + 1, 2), minutes = digits(s.ptr + 4, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return INT32_MIN;
	int32_t seconds = hours * 3600 + minutes * 60;
	return s.ptr[0] == '-' ? -seconds : seconds;
}

int rfc3339_parse_us(struct span s, int64_t *ret_us)
{
	uint64_t year_month, day_minute;
	if (s.len <= DATE_TIME_LEN || !eight_pairs(s.ptr, "0000-00-", &year_month) ||
	    (!eight_pairs(s.ptr + 8, "00T00:00", &day_minute) &&
	     !eight_pairs(s.ptr + 8, "00t00:00", &day_minute)) ||
	    s.ptr[16] != ':')
		return -EINVAL;
	int year = (int)(eight_byte(year_month, 0) * 100 + eight_byte(year_month, 2));
	unsigned month = eight_byte(year_month, 5), day = eight_byte(day_minute, 0);
	int hour = (int)eight_byte(day_minute, 3), minute = (int)eight_byte(day_minute, 6);
	int second = digits(s.ptr + 17, 2);
	if (year < 1 || hour > 23 || minute > 59 || second < 0 || second > 60 ||
	    !civil_valid_date(year, month, day))
		return -EINVAL;
	int64_t us = 0;
	s = span_from(s, DATE_TIME_LEN);
	if (s.ptr[0] == '.')
		us = take_fraction(&s);
	int32_t east_s = us < 0 ? INT32_MIN : zone(s);
	if (east_s == INT32_MIN)
		return -EINVAL;
	if (second == 60) {
		second = 59;
		us = NUM_SEC_US - 1;
	}
	us += civil_days(year, month, day) * NUM_DAY_US +
	      (hour * 3600 + minute * 60 + second - (int64_t)east_s) * NUM_SEC_US;
	if (us < CIVIL_MIN_US || us > CIVIL_MAX_US)
		return -EINVAL;
	*ret_us = us;
	return 0;
}
