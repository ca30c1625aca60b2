/* Moments to instants: see moment.h. Called by stamp.c once for each line that has a time, so the
 * usual case (a full date with an offset) takes no branch but checks. */
#include "agent/stamp/moment.h"

#include "agent/stamp/text.h"
#include "common/civil.h"
#include "common/num.h"

#define YEAR_FIRST 1970
#define YEAR_LAST  9999

/* Leap days are at most this many years apart (1896 to 1904). */
#define LEAP_YEARS_APART 8

#define NUMBER_DIGITS_MAX 19 /* that a uint64_t holds whatever they are */
#define EXPONENT_MAX      99

static bool fields_valid(const struct moment *m)
{
	return m->hour <= 23 && m->minute <= 59 && m->second <= 60;
}

/* The offset that the line itself says; false: it does not. */
static bool said_offset(const struct moment *m, const struct zone *zone, int64_t local_s,
			int32_t *ret_s)
{
	switch (m->zone_kind) {
	case MOMENT_ZONE_OFFSET: *ret_s = m->offset_s; return true;
	case MOMENT_ZONE_NAME: return zone_abbreviation(zone, local_s, m->zone_name, ret_s);
	case MOMENT_ZONE_OPEN: return false;
	}
	return false;
}

static bool resolve_in_year(const struct moment *m, int year, const struct zone *zone,
			    struct zone_range *cache, int64_t now_us, int64_t *ret_us)
{
	if (year < YEAR_FIRST || !civil_valid_date(year, m->month, m->day))
		return false;
	/* A leap second is the end of the second before it: the order of lines stays. */
	unsigned second = m->second == 60 ? 59 : m->second;
	unsigned us = m->second == 60 ? 999999 : m->us;
	int64_t local_s = civil_days(year, m->month, m->day) * NUM_DAY_SEC +
			  (int64_t)(m->hour * 3600 + m->minute * 60 + second);
	int32_t offset_s;
	int64_t utc_s = said_offset(m, zone, local_s, &offset_s)
				? local_s - offset_s
				: zone_to_utc(zone, cache, local_s, now_us / NUM_SEC_US);
	int64_t utc_us = utc_s * NUM_SEC_US + us;
	if (utc_us < 0 || utc_us > CIVIL_MAX_US)
		return false;
	*ret_us = utc_us;
	return true;
}

static int year_of(int64_t us)
{
	int year;
	unsigned month, day;
	civil_from_days(civil_day_of_us(us), &year, &month, &day);
	return year;
}

/* Nearest before now + 1 day, counted down from the latest year that any zone could write. */
static bool resolve_open_year(const struct moment *m, const struct zone *zone,
			      struct zone_range *cache, int64_t now_us, int64_t *ret_us)
{
	int latest = year_of(now_us + 2 * NUM_DAY_US);
	for (int year = latest; year >= latest - 1 - LEAP_YEARS_APART; year--) {
		int64_t us;
		if (resolve_in_year(m, year, zone, cache, now_us, &us) &&
		    us <= now_us + NUM_DAY_US) {
			*ret_us = us;
			return true;
		}
	}
	return false;
}

static bool resolve_short_year(const struct moment *m, const struct zone *zone,
			       struct zone_range *cache, int64_t now_us, int64_t *ret_us)
{
	int64_t us;
	if (resolve_in_year(m, 2000 + m->year, zone, cache, now_us, &us) &&
	    us <= now_us + NUM_DAY_US) {
		*ret_us = us;
		return true;
	}
	return resolve_in_year(m, 1900 + m->year, zone, cache, now_us, ret_us);
}

static bool resolve_calendar(const struct moment *m, const struct zone *zone,
			     struct zone_range *cache, int64_t now_us, int64_t *ret_us)
{
	if (!fields_valid(m))
		return false;
	switch (m->year_kind) {
	case MOMENT_YEAR_FULL: return resolve_in_year(m, m->year, zone, cache, now_us, ret_us);
	case MOMENT_YEAR_SHORT: return resolve_short_year(m, zone, cache, now_us, ret_us);
	case MOMENT_YEAR_OPEN: return resolve_open_year(m, zone, cache, now_us, ret_us);
	}
	return false;
}

bool moment_resolve(const struct moment *m, const struct zone *zone, struct zone_range *cache,
		    int64_t now_us, int64_t *ret_us)
{
	switch (m->kind) {
	case MOMENT_CALENDAR: return resolve_calendar(m, zone, cache, now_us, ret_us);
	case MOMENT_EPOCH_BARE:
		if (m->epoch_us > now_us + NUM_DAY_US)
			return false;
		break;
	case MOMENT_EPOCH: break;
	}
	if (m->epoch_us < 0 || m->epoch_us > CIVIL_MAX_US)
		return false;
	*ret_us = m->epoch_us;
	return true;
}

/* --- epochs --- */

/* A number as digits * 10^exponent, without leading zeros; digits beyond what fits are cut off. */
struct decimal {
	uint64_t digits;
	int n_digits;
	int exponent;
};

/* Digits before the point (step 0) or behind it (step -1); returns where they end. */
static inline const char *add_digits(struct decimal *d, const char *p, const char *end, int step)
{
	for (; p < end && text_is_digit(*p); p++) {
		if (d->n_digits < NUMBER_DIGITS_MAX) {
			d->digits = d->digits * 10 + (uint64_t)(*p - '0');
			d->n_digits += d->digits > 0;
			d->exponent += step;
		} else {
			d->exponent += step + 1;
		}
	}
	return p;
}

/* e[+-]digits */
static bool add_exponent(struct span s, struct decimal *d)
{
	bool negative = s.len > 0 && s.ptr[0] == '-';
	if (negative || (s.len > 0 && s.ptr[0] == '+'))
		s = span_from(s, 1);
	int v = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (!text_is_digit(s.ptr[i]) || v > EXPONENT_MAX)
			return false;
		v = v * 10 + (s.ptr[i] - '0');
	}
	d->exponent += negative ? -v : v;
	return s.len > 0;
}

#define DECIMAL_LENGTH_MAX 64

static bool read_decimal(struct span s, struct decimal *ret)
{
	struct decimal d = {0};
	const char *p = s.ptr, *end = s.ptr + s.len;
	if (s.len == 0 || s.len > DECIMAL_LENGTH_MAX || !text_is_digit(*p))
		return false;
	p = add_digits(&d, p, end, 0);
	if (end - p > 1 && (*p == '.' || *p == ',') && text_is_digit(p[1]))
		p = add_digits(&d, p + 1, end, -1);
	bool good = p == end;
	if (!good && (*p == 'e' || *p == 'E'))
		good = add_exponent(span_make(p + 1, (size_t)(end - p) - 1), &d);
	*ret = d;
	return good;
}

/* The power of ten that makes seconds of a number with so many digits before its point; -1:
 * none. */
static int unit_of(int digits_before_point, bool any_size)
{
	switch (digits_before_point) {
	case 9:
	case 10: return 0;
	case 12:
	case 13: return 3;
	case 15:
	case 16: return 6;
	case 18:
	case 19: return 9;
	}
	if (!any_size || digits_before_point > 19)
		return -1;
	return digits_before_point < 12 ? 0 : digits_before_point < 15 ? 3 : 6;
}

#define E3(n) UINT64_C(n), UINT64_C(n##0), UINT64_C(n##00)

static const uint64_t power_of_ten[NUMBER_DIGITS_MAX + 1] = {
	E3(1),
	E3(1000),
	E3(1000000),
	E3(1000000000),
	E3(1000000000000),
	E3(1000000000000000),
	UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000),
};

bool moment_epoch(struct span number, bool any_size, int64_t *ret_us)
{
	struct decimal d;
	if (!read_decimal(number, &d))
		return false;
	int unit = unit_of(d.n_digits + d.exponent, any_size);
	if (unit < 0)
		return false;
	/* Microseconds are digits * 10^shift: at most 17 digits, as at most 11 are seconds. */
	int shift = d.exponent - unit + 6;
	if (d.digits == 0 || shift < -NUMBER_DIGITS_MAX)
		*ret_us = 0;
	else
		*ret_us = (int64_t)(shift > 0 ? d.digits * power_of_ten[shift]
					      : d.digits / power_of_ten[-shift]);
	return true;
}
